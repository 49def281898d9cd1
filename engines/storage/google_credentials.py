"""Whether Google's SDKs will find credentials: asked once, before anything is opened."""

import google.auth
from google.auth.exceptions import DefaultCredentialsError

from engines.config.runtime_config import Settings, SettingsError


def require_google_credentials(settings: Settings) -> None:
    """Raise SettingsError when the settings ask for Google's cloud and this process has no credentials."""
    if not settings.needs_google_cloud:
        return
    try:
        google.auth.default()
    except DefaultCredentialsError:
        raise SettingsError(
            "GOOGLE_APPLICATION_CREDENTIALS names no usable key file, and no other Google credentials were "
            "found: set it to one, run `gcloud auth application-default login`, or run where a service "
            "account is attached. For the local stand-ins set FIRESTORE_EMULATOR_HOST, "
            "BIGQUERY_EMULATOR_HOST, STORAGE_EMULATOR_HOST"
        ) from None
