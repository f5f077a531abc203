"""Settings that every service shares: environment variables ``TABIJI_*``, read once at start."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Base of every service's settings; a service adds its own fields and its port's default."""

    model_config = SettingsConfigDict(env_prefix="TABIJI_", extra="ignore")

    kafka_bootstrap: str = Field("127.0.0.1:19092", description="Kafka bootstrap servers, comma-separated")
    postgres_dsn: str = Field(
        "postgresql://tabiji@127.0.0.1:15432/tabiji",
        description="PostgreSQL database of all services",
    )
    topic_prefix: str = Field(
        "", description="Put before every topic and consumer group; one per simulated run or test"
    )
    partitions: int = Field(12, ge=1, le=1024, description="Partition count of every topic; one number for all")
    replication: int = Field(1, ge=1, description="Replication factor of topics that are created")
    clock: Literal["live", "simulated"] = Field("live", description="live, or stepped by a time-master")
    time_master: str = Field("", description="URL that answers the current tick, asked at start in simulated mode")
    host: str = Field("127.0.0.1", description="Address to bind")
    port: int = Field(0, description="Port of the service's HTTP API; 0 takes any free one")
    admin_port: int = Field(0, description="Port of /livez /readyz /metrics /idle; 0 means port + 1000")
    poll_records: int = Field(1000, ge=1, description="Most records that one transaction applies")
    release_rate: int = Field(
        500,
        ge=0,
        description="Most timers that one process fires in a second, so that what an outage kept back goes out evenly:"
        " 100,000 in 200 s, about what a mail server takes; 0 is no limit; none in simulated time",
    )
    workspace_secret: str = Field(
        "", description="Key of signed links, guest ids and erasure hashes; the same for every service, for ever"
    )
    public_url: str = Field(
        "http://127.0.0.1:8010",
        description="Where customers reach ingest: pixel, links, unsubscribe",
    )
    timezone: str = Field("Asia/Tokyo", description="Zone of the workspace")
    build: str = Field("", description="What the process was built from, such as a commit; told beside its version")
    log_level: str = Field("INFO", description="DEBUG, INFO, WARNING or ERROR")
    test_hooks: bool = Field(default=False, description="Open the admin routes that only tests use (failpoints)")

    @property
    def effective_admin_port(self) -> int:
        """The admin port that will be bound."""
        return self.admin_port or (self.port + 1000 if self.port else 0)
