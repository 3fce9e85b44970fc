"""Tokens that their vendors gave a beginning to be known by: what each looks like, as its vendor documents it."""

from __future__ import annotations

_FORMATS: tuple[tuple[str, str], ...] = (
    ("xapp-", r"[0-9]-[A-Za-z0-9]{5,40}-[0-9]{5,20}-[A-Za-z0-9]{10,80}"),  # Slack, an app
    ("do[oprt]_v1_", "[0-9a-f]{64}"),  # DigitalOcean
    ("shp(?:at|ca|pa|ss)_", "[0-9a-fA-F]{32}"),  # Shopify
    ("hf_", "[A-Za-z]{34}"),  # Hugging Face
    (r"hv[sbr]\.", r"[\w-]{24,300}"),  # HashiCorp Vault
    ("gl(?:sa|c)_", "[A-Za-z0-9+/_=]{32,400}"),  # Grafana
    (r"SG\.", r"[\w-]{22}\.[\w-]{43}"),  # SendGrid
    ("rubygems_", "[0-9a-f]{48}"),
    ("dapi", "[0-9a-f]{32}"),  # Databricks
    ("NRAK-", "[A-Z0-9]{27}"),  # New Relic
    ("PMAK-", "[0-9a-f]{24}-[0-9a-f]{34}"),  # Postman
    ("pul-", "[0-9a-f]{40}"),  # Pulumi
    ("lin_api_", "[A-Za-z0-9]{40}"),  # Linear
    ("sntry[su]_", r"[\w=+/]{40,400}"),  # Sentry
    ("sk-ant-", r"[\w-]{20,200}"),  # Anthropic
    ("sk-(?:proj|svcacct|admin)-", r"[\w-]{20,200}"),  # OpenAI
    ("sk-[A-Za-z0-9]{20}T3BlbkFJ", "[A-Za-z0-9]{20}"),  # OpenAI, before projects
    ("AGE-SECRET-KEY-1", "[A-Z0-9]{58}"),
    (r"dp\.pt\.", "[A-Za-z0-9]{43}"),  # Doppler
    (r"dt0c01\.", r"[A-Z0-9]{24}\.[A-Z0-9]{64}"),  # Dynatrace
    (r"ya29\.", r"[\w-]{20,400}"),  # Google OAuth
    ("GOCSPX-", r"[\w-]{28}"),  # Google OAuth, a client
    ("xkeysib-", "[0-9a-f]{64}-[A-Za-z0-9]{16}"),  # Brevo
    ("ATATT3", r"[\w=-]{60,250}"),  # Atlassian
    ("EZAK", "[A-Za-z0-9]{54}"),  # EasyPost
    ("key-[0-9a-f]{8}", "[0-9a-f]{24}"),  # Mailgun
    ("SK[0-9a-f]{8}", "[0-9a-f]{24}"),  # Twilio
    (r"[0-9]{8,10}:A[\w-]{8}", r"[\w-]{26}"),  # Telegram
    (r"pk\.[a-z0-9]{8}", r"[a-z0-9]{52}\.[a-z0-9]{22}"),  # Mapbox
    ("PRIVATE-TOKEN: ?", r"[\w-]{20,60}"),  # GitLab's header
)
"""How it begins, what follows."""

TOKENS = tuple(start + rest for start, rest in _FORMATS)
HINTS = tuple(start for start, _ in _FORMATS)
