"""Puts one question after the other to sentry_relay: a JSON object a line in, one a line out, until the input ends.

Bytes travel as base64. A refusal of the library is {"refused": its class, "words": the first line of what it says}.
"""
import base64
import json
import sys

from sentry_relay import auth, processing
from sentry_relay.consts import DataCategory
from sentry_relay.exceptions import RelayError


def key_pair():
    secret, public = auth.generate_key_pair()
    return {"secret_key": str(secret), "public_key": str(public), "id": str(auth.generate_relay_id())}


def parse_keys(secret_key, public_key):
    return {"secret_key": str(auth.SecretKey.parse(secret_key)), "public_key": str(auth.PublicKey.parse(public_key))}


def sign(secret_key, body):
    return auth.SecretKey.parse(secret_key).sign(base64.b64decode(body))


def verify(public_key, signature, body, max_age=None):
    return auth.PublicKey.parse(public_key).verify(base64.b64decode(body), signature, max_age)


def challenge(body, signature, secret, max_age):
    made = auth.create_register_challenge(base64.b64decode(body), signature, secret, max_age)
    return {"id": str(made["relay_id"]), "token": made["token"]}


def response(body, signature, secret, max_age):
    made = auth.validate_register_response(base64.b64decode(body), signature, secret, max_age)
    return {"id": str(made["relay_id"]), "key": made["public_key"], "version": made["version"]}


def categories():
    return {category.api_name(): int(category) for category in DataCategory if category is not DataCategory.UNKNOWN}


def parse_category(name):
    category = DataCategory.parse(name)
    return None if category is None else int(category)


def category_of_event(event_type):
    return DataCategory.from_event_type(event_type).api_name()


questions = {
    "key_pair": key_pair,
    "parse_keys": parse_keys,
    "sign": sign,
    "verify": verify,
    "challenge": challenge,
    "response": response,
    "supports": auth.is_version_supported,
    "categories": categories,
    "parse_category": parse_category,
    "category_of_event": category_of_event,
    "project_config": processing.normalize_project_config,
}

for line in sys.stdin:
    name, arguments = json.loads(line)
    try:
        answer = {"said": questions[name](**arguments)}
    except RelayError as refusal:
        answer = {"refused": type(refusal).__name__, "words": str(refusal).splitlines()[0]}
    print(json.dumps(answer), flush=True)
