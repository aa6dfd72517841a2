"""Making releases: numbers and floors only rise, a version is one thing for good, and the same input the same bytes."""

import hashlib
from unittest import mock

import pytest

from admit import keyfiles, releases, releasing, succeeding
from admit_protocol.errors import AdmitError, Conflict
from release_files import FILES, build, wish
from sites import NOW, Site, passphrase

DAY_S = 86400
OTHERS = FILES | {"start.mpy": b"M\x06 another"}


def reason(*arguments, **more):
    with pytest.raises(AdmitError) as caught:
        build(*arguments, **more)
    return caught.value.reason


def test_the_same_input_gives_the_same_bytes_whenever_it_is_built(site, signer):
    data = build(site, signer).encode()
    nobody = Site(site.folder).authority(lambda: pytest.fail("nobody needs the passphrase for that"))
    assert build(site, nobody, now=NOW + 40 * DAY_S).encode() == data
    assert build(site, nobody, files=dict(reversed(FILES.items()))).encode() == data
    assert [row.version for row in site.registry.releases()] == ["1.4.0"]


def test_a_version_is_never_given_to_something_else(site, signer):
    build(site, signer)
    assert reason(site, signer, files=OTHERS) == "release-taken"
    assert reason(site, signer, boards=["virtual", "esp32_generic"]) == "release-taken"
    assert reason(site, signer, expires=NOW + DAY_S) == "release-taken"
    assert reason(site, signer, image=b"an image") == "release-taken"


def test_an_image_of_micropython_comes_along(site, signer):
    image = b"\xe9 an image" * 500
    made = build(site, signer, image=image)
    assert made.manifest.image == [len(image), hashlib.sha256(image).digest()] and made.item(241) == image
    assert build(site, signer, image=image, now=NOW + DAY_S).encode() == made.encode()
    assert releases.read(made.encode(), site.anchor) == made
    assert {reason(site, signer, image=other) for other in (None, image[:-1])} == {"release-taken"}


def test_numbers_rise_with_each_release(site, signer):
    made = [build(site, signer, version, files) for version, files in (("1.4.0", FILES), ("1.5.0", OTHERS))]
    made.append(build(site, signer, "1.6.0", FILES))  # the files of the first again: a later release all the same
    assert [each.manifest.sequence for each in made] == [1, 2, 3]
    assert made[0].manifest.set_hash == made[2].manifest.set_hash


def test_a_floor_rises_to_a_version_and_never_falls(site, signer):
    floors = [build(site, signer, "1", floor=None).manifest.floor]
    floors.append(build(site, signer, "2", OTHERS).manifest.floor)
    floors.append(build(site, signer, "3", FILES, floor="2").manifest.floor)
    floors.append(build(site, signer, "4", OTHERS).manifest.floor)
    floors.append(build(site, signer, "5", FILES, floor="1").manifest.floor)
    floors.append(build(site, signer, "6", OTHERS, floor="6").manifest.floor)
    assert floors == [1, 1, 2, 2, 2, 6]
    assert reason(site, signer, "7", floor="nonsense") == "release-unknown"
    assert reason(site, signer, "3", FILES, floor="6") == "release-taken"


def test_a_release_ends_in_a_year_or_when_it_is_said(site, signer):
    assert build(site, signer).manifest.expires == NOW + releasing.YEAR_S
    assert build(site, signer, "1.5.0", OTHERS, expires=NOW + DAY_S).manifest.expires == NOW + DAY_S
    assert reason(site, signer, "1.6.0", expires=NOW) == "release-expires"


@pytest.mark.parametrize("version", ["", "x" * 33, "é" * 17, "1.4\n"])
def test_a_version_is_a_short_line(site, signer, version):
    assert reason(site, signer, version) == "release-version"


def test_a_release_of_another_desk_is_remembered_too(site, signer, tmp_path):
    """Two desks, one registry put back from yesterday's backup: the number is taken, and that is said."""
    made = build(site, signer)
    releasing.keep(site.registry, made)
    assert len(site.registry.releases()) == 1
    files = releases.list_of(FILES)
    assert site.registry.set_files(made.manifest.set_hash) == files == made.list_data
    other = signer.issue_release("9.9", 1, releases.rows_of(OTHERS), (1, ["virtual"], "virtual", 6, 1), NOW, NOW + 1)
    with pytest.raises(AdmitError) as caught:
        releasing.keep(site.registry, releases.pack(other, OTHERS))
    assert caught.value.reason == "release-taken"


def test_room_counts_blocks_folders_and_a_reserve():
    assert releasing.room({"a.mpy": bytes(10)}) == (1 + 2 + 8) * 4096
    assert releasing.room({"a.mpy": bytes(4089), "b/c.mpy": b""}) == (2 + 1 + 4 + 8) * 4096


def test_another_authority_is_no_signer_of_this_site(site):
    wrong = site.authority(lambda: "not " + passphrase())
    with pytest.raises(AdmitError) as caught:
        releasing.build(site.registry, wrong, wish(), FILES, NOW)
    assert caught.value.reason == "key-passphrase"
    assert site.registry.releases() == []


def test_a_version_that_the_key_before_signed_is_not_built_again(site, signer):
    """Its file would be the same, byte for byte, and refused by whoever follows the new key."""
    build(site, signer)
    with mock.patch.object(keyfiles, "_SCRYPT_N", 2):
        succeeding.succeed(site, signer, NOW + 1, 0)
    later = site.authority(passphrase)
    with pytest.raises(Conflict, match="signed with the authority's key before"):
        build(site, later)
    assert build(site, later, "1.4.1").manifest.sequence == 2
