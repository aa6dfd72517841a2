"""The journal on a real littlefs: it wears the flash little, and no power cut at any write to it does any harm."""

from flash_journal import LIMIT, on_flash


def test_a_record_costs_at_most_a_seventh_of_an_erased_block():
    told = on_flash("wear")
    assert told["records"] >= 1200
    assert told["erases"] <= LIMIT and told["erases of long ones"] <= LIMIT
    assert told["bytes of long ones"] > 70
    assert told["erases of a plain append"] >= 1  # what it would cost otherwise


def test_power_cut_in_the_middle_of_every_write_to_the_flash():
    told = on_flash("cuts")
    assert told["cuts"] >= 25
    assert told["lost"] + told["kept"] == told["cuts"]
