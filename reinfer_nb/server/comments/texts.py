"""The texts of the sample comments: emails, calls and chats, in English and German."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from reinfer_nb.server.comments.dice import Dice
from reinfer_nb.server.timestamps import text

_PEOPLE = ("A. Weber", "M. Rossi", "J. Novak", "S. Meyer", "L. Dubois", "P. Horvat", "K. Lindqvist")
_DOMAINS = ("example.com", "example.org", "example.net")
_OPENINGS = {
    "en": ("Dear team,", "Hello,", "Good morning,", "To whom it may concern,"),
    "de": ("Guten Tag,", "Sehr geehrte Damen und Herren,", "Hallo,", "Liebes Team,"),
}
_REQUESTS = {
    "en": (
        "I am writing about {topic}, policy {number}.",
        "Please send me a copy of the documents for {topic}; my policy number is {number}.",
        "It has been {days} days, and I have heard nothing about {topic}. My number is {number}.",
        "My address has changed. Please use the new one for policy {number}.",
        "The garage sent its estimate for {amount} euros. Is it covered by policy {number}?",
        "I would like to cancel policy {number} at the end of the month.",
    ),
    "de": (
        "ich schreibe Ihnen wegen {topic}, Police {number}.",
        "bitte senden Sie mir die Unterlagen zu {topic}; meine Policennummer ist {number}.",
        "seit {days} Tagen habe ich nichts über {topic} gehört. Meine Nummer ist {number}.",
        "meine Adresse hat sich geändert. Bitte verwenden Sie die neue für Police {number}.",
        "die Werkstatt hat ihren Voranschlag über {amount} Euro geschickt. Ist er gedeckt?",
        "ich möchte die Police {number} zum Monatsende kündigen.",
    ),
}
_REPLIES = {
    "en": (
        "Thank you for your message. We will answer within two working days.",
        "We have forwarded your question to our colleagues.",
        "The payment of {amount} euros was sent today.",
    ),
    "de": (
        "Vielen Dank für Ihre Nachricht. Wir antworten innerhalb von zwei Werktagen.",
        "Wir haben Ihre Frage an die Kollegen weitergeleitet.",
        "Die Zahlung von {amount} Euro wurde heute überwiesen.",
    ),
}
_CLOSINGS = {"en": "Kind regards,\n{name}", "de": "Mit freundlichen Grüßen\n{name}"}
_TEAMS = ("First line", "Claims desk", "Back office")


def content(dice: Dice, source: Mapping[str, Any], sent: datetime) -> dict[str, Any]:
    """Return the messages and the properties of a comment.

    Args:
        dice: Decides what it says.
        source: Its source, as the API's JSON object.
        sent: When it was sent.
    """
    language = _language(source)
    kind = source.get("_kind")
    customer = dice.choice(_PEOPLE)
    values = {
        "topic": source.get("title") or source["name"],
        "number": dice.between(10**7, 10**8),
        "days": dice.between(3, 40),
        "amount": f"{dice.between(80, 9_000):,}",
    }
    lines = [dice.choice(_REQUESTS[language]).format_map(values)]
    replies = range(dice.between(0, 3))
    lines += [dice.choice(_REPLIES[language]).format_map(values) for _ in replies]
    if kind in ("call", "chat"):
        messages = [
            _turn(line, customer if turn % 2 == 0 else "Agent", sent + timedelta(seconds=40 * turn))
            for turn, line in enumerate(lines)
        ]
        return {"messages": messages, "user_properties": {"string:Team": dice.choice(_TEAMS)}}
    messages = [
        _email(dice, source, customer, line, sent - timedelta(hours=7 * back))
        for back, line in reversed(list(enumerate(reversed(lines))))
    ]
    result = {
        "messages": messages,
        "thread_id": f"{dice.between(0, 2**64):016x}",
        "user_properties": {
            "string:Team": dice.choice(_TEAMS),
            "number:Score": dice.between(0, 101) / 10,
        },
    }
    if dice.between(0, 10) == 0:
        name = f"estimate-{values['number']}.pdf"
        size = dice.between(20_000, 900_000)
        result["attachments"] = [{"name": name, "size": size, "content_type": ".pdf"}]
    return result


def _language(source: Mapping[str, Any]) -> str:
    return "de" if source.get("language") == "de" else "en"


def _turn(line: str, speaker: str, sent: datetime) -> dict[str, Any]:
    return {"body": {"text": line}, "from": speaker, "sent_at": text(sent)}


def _email(
    dice: Dice, source: Mapping[str, Any], customer: str, line: str, sent: datetime
) -> dict[str, Any]:
    language = _language(source)
    opening = dice.choice(_OPENINGS[language])
    address = f"{customer.rsplit(maxsplit=1)[-1].lower()}@{dice.choice(_DOMAINS)}"
    closing = _CLOSINGS[language].format(name=customer)
    title = source.get("title") or source["name"]
    return {
        "subject": {"text": f"{title} {dice.between(1000, 9999)}"},
        "body": {
            "text": f"{opening}\n\n{line}",
            "text_markup": f"<p>{opening}</p><p>{line}</p>",
        },
        "signature": {"text": closing},
        "from": address,
        "to": [f"{source['name']}@insurer.example"],
        "sent_at": text(sent),
        "language": language,
    }
