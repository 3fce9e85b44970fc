"""The checks behind the patterns."""

import pytest

from agent.scrub import checks


@pytest.mark.parametrize(
    "number", [b"4111111111111111", b"5555555555554444", b"378282246310005", b"30569309025904", b"6011111111111117"]
)
def test_card_numbers_of_the_issuers_examples_hold(number):
    assert checks.card_number(number)


@pytest.mark.parametrize("number", [b"4111111111111112", b"1111111111111117", b"41111111111111110"])
def test_a_wrong_check_digit_issuer_or_length_is_no_card(number):
    assert not checks.card_number(number)


def test_two_cards_in_one_run_are_masked_to_the_last():
    text = b"4111111111111111 5555555555554444 99"
    assert checks.card(text, 0, len(text)) == (0, 33)


def test_digits_of_a_longer_run_are_no_card():
    text = b"1" * 30
    assert checks.card(text, 0, 30) is None


def test_iban_must_end_where_it_ends():
    text = b"DE893704004405320130009"
    assert checks.iban(text, 0, len(text)) is None
    assert checks.iban(text, 0, 20) is None


@pytest.mark.parametrize("text", [b"536-90-4399-", b"-536-90-4399"])
def test_an_ssn_is_no_part_of_a_dashed_number(text):
    start = text.index(b"5")
    assert checks.ssn(text, start, start + 11) is None


def test_a_header_that_is_no_base64_is_no_jwt():
    assert checks.jwt(b"eyJhbGciO.x", 0, 11) is None


def test_basic_without_a_colon_or_base64_is_prose():
    assert checks.basic(b"abcde", 0, 5) is None
    assert checks.basic(b"YWJj", 0, 4) is None


def test_an_aws_secret_stands_alone():
    key = b"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
    assert checks.aws_secret(key, 0, 40) == (0, 40)
    assert checks.aws_secret(key + b"x", 0, 40) is None
