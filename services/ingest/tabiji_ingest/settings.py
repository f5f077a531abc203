"""Settings of ingest."""

from __future__ import annotations

from pydantic import Field

from tabiji_common.settings import Settings
from tabiji_ingest.domain.call import Rules
from tabiji_ingest.domain.personal import plain_spelling

KIB = 1024


class IngestSettings(Settings):
    """Ingest's own, beside those of every service."""

    port: int = Field(8010, description="Port of the service's HTTP API; 0 takes any free one")
    currency: str = Field("JPY", description="Currency of amounts that name none")
    plain_traits: str = Field(
        "plan,rank,tier,points,tags,segment,medium,language,locale,timezone,currency,country,prefecture,"
        "created_at,logins,vip,line_friend",
        description="Traits that are not personal, comma-separated; every other one is kept as personal",
    )
    count_image_proxies: bool = Field(
        False,  # noqa: FBT003 - a setting's default
        description="Count opens through Gmail's and Yahoo's image proxies as a person's",
    )
    max_body_bytes: int = Field(500 * KIB, ge=KIB, description="Largest request body, as received")
    max_unpacked_bytes: int = Field(2048 * KIB, ge=KIB, description="Largest request body once unpacked")
    max_unpack_ratio: int = Field(100, ge=1, description="Most bytes that one received byte may unpack to")
    max_flight_bytes: int = Field(
        32 * KIB * KIB, ge=KIB, description="Most bytes of requests not answered, or not acked by Kafka; beyond it 503"
    )
    body_seconds: float = Field(10.0, gt=0, description="Longest that a client may take to send a body")
    ack_seconds: float = Field(3.0, gt=0, description="Longest wait for Kafka's acks; beyond it 503")
    link_ack_seconds: float = Field(1.0, gt=0, description="The same for pixels and clicks, which answer anyway")
    write_key_rate: float = Field(1000, ge=0, description="Requests a second for each write key; 0 sets no limit")
    write_key_burst: float = Field(2000, ge=1, description="Requests at once for each write key")
    write_key_refresh_seconds: float = Field(5.0, gt=0, description="How soon a revoked write key is closed")

    def rules(self) -> Rules:
        """What events are judged by."""
        return Rules(
            secret=self.workspace_secret,
            currency=self.currency,
            plain=frozenset(plain_spelling(trait) for trait in self.plain_traits.split(",")),
            stepped=self.clock == "simulated",
        )
