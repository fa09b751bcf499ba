"""STUB until the real one lands."""
from __future__ import annotations
import hashlib, json, re
from typing import Any, Literal, Annotated, Union
import yaml
from pydantic import BaseModel, Field, ConfigDict, BeforeValidator
from detectors.params import Adwin, PageHinkley, River

def dur(v: Any) -> Any:
    if isinstance(v, str):
        n, u = re.fullmatch(r"(\d+)(ms|s|m|h|d)", v).groups()
        return int(n) * {"ms": 1, "s": 1000, "m": 60000, "h": 3600000, "d": 86400000}[u]
    return v
Ms = Annotated[int, BeforeValidator(dur)]
class ConfigError(Exception): pass
class M(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)
class Kafka(M):
    brokers: str; group: str = "driftline"; instance: str | None = None; start: str = "earliest"; client: dict[str, Any] = {}
class Topics(M):
    events: list[str]; alerts: str = "drift-alerts"; state: str = "drift-state"; dead_letter: str = "drift-dead-letter"
class FieldsC(M):
    model: str = "/model"; version: str = "/model_version"; time: str = "/time"; event_id: str = "/event_id"; features: str = "/features"
    label: str = "/prediction/label"; value: str = "/prediction/value"; confidence: str = "/prediction/confidence"; scores: str = "/prediction/scores"; logits: str = "/prediction/logits"
    latency_ms: str = "/latency_ms"; status: str = "/status"; caller: str = "/caller"; segment: str = "/segment"
class Reference(M): warmup: int = 500
class Anomaly(M):
    beyond: float = 6.0; unseen_category: bool = True; score: str | None = None; score_max: float | None = None
class D(M):
    direction: str = "both"; raw: bool = False
    def shown(self) -> dict[str, Any]:
        return self.model_dump(exclude={"kind", "raw"})
class DA(D):
    kind: Literal["adwin"]; delta: float = 0.002; clock: int = 32; max_buckets: int = 5; min_window_length: int = 5; grace_period: int = 10
    def params(self): return Adwin(self.delta, self.clock, self.max_buckets, self.min_window_length, self.grace_period, self.direction)
class DP(D):
    kind: Literal["page_hinkley"]; min_instances: int = 30; delta: float = 0.25; threshold: float = 50.0; alpha: float = 0.9999
    def params(self): return PageHinkley(self.min_instances, self.delta, self.threshold, self.alpha, self.direction)
class DR(D):
    kind: Literal["river"]; name: str; params_: dict[str, Any] = Field({}, alias="params")
    def params(self): return River(self.name, tuple(self.params_.items()), self.direction)
class DF(D):
    kind: Literal["fraction"]; max: float; clear: float | None = None; min_count: int = 30
    @property
    def clear_below(self): return self.clear if self.clear is not None else .8 * self.max
class W(M):
    events: int | None = None; time_ms: Ms | None = Field(None, alias="time")
class Monitor(M):
    model: str | None = None; signal: str; by: list[str] = []
    detect: Annotated[Union[DA, DP, DR, DF], Field(discriminator="kind")]
    window: W = W(events=1000); severity: str = "warning"; for_ms: Ms = Field(0, alias="for"); keep_firing_for_ms: Ms = Field(600000, alias="keep_firing_for"); cooldown_ms: Ms = Field(0, alias="cooldown")
    description: str | None = None; runbook_url: str | None = None
    def state_spec(self): return json.dumps([self.detect.model_dump(), self.window.model_dump()], sort_keys=True)
class Commit(M):
    interval_ms: Ms = Field(1000, alias="interval"); snapshot_interval_ms: Ms = Field(10000, alias="snapshot_interval"); on_state_loss: str = "rebaseline"
class Limits(M):
    series: int = 20000; message_bytes: int = 1 << 20; lateness_ms: Ms = Field(300000, alias="lateness"); duplicates: int = 10000
class Server(M): listen: str = "127.0.0.1:8080"
STANDARD = {n: Monitor(**m) for n, m in {
    "feature-mean": {"signal": "features.*", "detect": {"kind": "adwin"}}, "confidence": {"signal": "confidence", "detect": {"kind": "adwin", "direction": "down"}},
    "label-share": {"signal": "label.*", "detect": {"kind": "adwin"}}, "missing": {"signal": "missing.*", "detect": {"kind": "adwin"}},
    "anomaly-fraction": {"signal": "anomaly", "detect": {"kind": "fraction", "max": 0.05}}, "anomaly-drift": {"signal": "anomaly", "detect": {"kind": "adwin"}}}.items()}
class Config(M):
    version: int; kafka: Kafka; topics: Topics; fields_: FieldsC = Field(FieldsC(), alias="fields"); reference: Reference = Reference(); anomaly: Anomaly = Anomaly()
    monitors: dict[str, Monitor] = {}; commit: Commit = Commit(); limits: Limits = Limits(); server: Server = Server()
    @property
    def fields(self): return self.fields_
    def effective_monitors(self): return self.monitors or STANDARD
    def secrets(self): return []
    @property
    def config_hash(self): return hashlib.sha256(json.dumps(self.model_dump(include={"fields_", "reference", "anomaly", "monitors", "limits"}), sort_keys=True).encode()).hexdigest()[:16]
def load_text(text: str, name: str, env: Any) -> Config: return Config(**yaml.safe_load(text))
