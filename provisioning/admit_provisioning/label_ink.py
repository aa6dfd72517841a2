"""Marks become ink: labels as pages of a PDF, or as one PNG each for a label printer.

Rules: a PDF says nothing but what is printed, and is the same for the same labels; in a PNG every module of a QR code
is the same whole number of dots. Must not know what is printed.
"""

import io
from collections.abc import Sequence

from admit_protocol.errors import LocalError
from admit_provisioning.label_layout import Box, Code, Mark, Text
from admit_provisioning.stock import Stock

_INCH = 25.4
_MM = 72 / _INCH  # points
_BLACK, _WHITE = 0, 255
_DASH = 0.8  # mm
_STROKE = 0.2


def pdf(labels: Sequence[list[Mark]], stock: Stock, start: int = 1) -> bytes:
    """Sheets with these labels, the first on place `start` of the first sheet (counted from 1, row by row)."""
    from reportlab.pdfgen.canvas import Canvas

    stream = io.BytesIO()
    width, height = stock.page
    canvas = Canvas(stream, pagesize=(width * _MM, height * _MM), pageCompression=1, invariant=1)
    canvas.setTitle("Labels")
    canvas.setCreator("admit")
    now_page = 0
    for number, marks in enumerate(labels, start - 1):
        page, left, top = stock.place(number)
        while now_page < page:
            canvas.showPage()
            now_page += 1
        for mark in marks:
            _draw(canvas, mark, left, height - top)
    canvas.save()
    return stream.getvalue()


def _draw(canvas, mark: Mark, left: float, top: float) -> None:
    """One mark of a label whose upper left corner is there, counted from the page's lower left one."""
    x, y = (left + mark.x) * _MM, (top - mark.y) * _MM
    if isinstance(mark, Text):
        canvas.setFillGray(1 if mark.white else 0)
        canvas.setFont(mark.font.name, mark.points)
        canvas.drawString(x, y, mark.text)
    elif isinstance(mark, Code):
        _draw_code(canvas, mark, x, y)
    else:
        _draw_box(canvas, mark, x, y)


def _draw_code(canvas, code: Code, x: float, y: float) -> None:
    """All modules in one path, those beside each other as one bar: no hair lines between them."""
    side = code.module * _MM
    path = canvas.beginPath()
    for number, row in enumerate(code.rows):
        for first, length in _bars(row):
            path.rect(x + first * side, y - (number + 1) * side, length * side, side)
    canvas.setFillGray(0)
    canvas.drawPath(path, stroke=0, fill=1)


def _draw_box(canvas, box: Box, x: float, y: float) -> None:
    canvas.setFillGray(0)
    canvas.setLineWidth(_STROKE * _MM)
    canvas.setDash(*([_DASH * _MM, _DASH * _MM] if box.dashed else []))
    canvas.rect(
        x, y - box.height * _MM, box.width * _MM, box.height * _MM, stroke=int(box.dashed), fill=int(not box.dashed)
    )


def png(marks: list[Mark], stock: Stock) -> bytes:
    """One label as an image of black and white dots, at the resolution of its printer."""
    from PIL import Image, ImageDraw

    scale = stock.dpi / _INCH
    image = Image.new("L", (round(stock.width * scale), round(stock.height * scale)), _WHITE)
    draw = ImageDraw.Draw(image)
    for mark in marks:
        if isinstance(mark, Text):
            _paint_text(draw, mark, scale)
        elif isinstance(mark, Code):
            _paint_code(draw, mark, scale)
        else:
            _paint_box(draw, mark, scale)
    stream = io.BytesIO()
    image.point(lambda dot: _WHITE if dot >= 128 else _BLACK, "1").save(stream, "PNG", dpi=(stock.dpi, stock.dpi))
    return stream.getvalue()


def _paint_text(draw, text: Text, scale: float) -> None:
    from PIL import ImageFont

    font = ImageFont.truetype(str(text.font.file), text.points / _MM * scale)
    fill = _WHITE if text.white else _BLACK
    draw.text((text.x * scale, text.y * scale), text.text, fill=fill, font=font, anchor="ls")


def _paint_code(draw, code: Code, scale: float) -> None:
    """As large as whole dots allow, in the middle of where the code belongs."""
    dots = int(code.module * scale)
    if dots < 2:
        raise LocalError("label-too-small", "a module of the QR code would be a single dot of the printer")
    slack = (code.module * scale - dots) * len(code.rows) / 2
    left, top = round(code.x * scale + slack), round(code.y * scale + slack)
    for number, row in enumerate(code.rows):
        for first, length in _bars(row):
            x, y = left + first * dots, top + number * dots
            draw.rectangle((x, y, x + length * dots - 1, y + dots - 1), fill=_BLACK)


def _paint_box(draw, box: Box, scale: float) -> None:
    x0, y0 = box.x * scale, box.y * scale
    x1, y1 = x0 + box.width * scale, y0 + box.height * scale
    if not box.dashed:
        draw.rectangle((x0, y0, x1, y1), fill=_BLACK)
        return
    wide, dash = max(1, round(_STROKE * scale)), _DASH * scale
    for along, fixed in ((x0, y0), (x0, y1)):
        while along < x1:
            draw.line((along, fixed, min(along + dash, x1), fixed), fill=_BLACK, width=wide)
            along += 2 * dash
    for along, fixed in ((y0, x0), (y0, x1)):
        while along < y1:
            draw.line((fixed, along, fixed, min(along + dash, y1)), fill=_BLACK, width=wide)
            along += 2 * dash


def _bars(row: bytes):
    """(first, length) of each run of dark modules."""
    first = None
    for at, dark in enumerate([*row, 0]):
        if dark and first is None:
            first = at
        elif not dark and first is not None:
            yield first, at - first
            first = None
