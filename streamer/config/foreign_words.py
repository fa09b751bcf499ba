"""Words of other tools: what to write here instead of them. One table per place where such a word turns up.

Nearness of spelling, as in did-you-mean, finds a slip of the finger; it cannot know that `bootstrap_servers` is
`kafka.brokers`, and of `p95(latency)` it would make something else.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from schemas.events.fields import as_pointer
from streamer.config.librdkafka_settings import RESERVED, SETTINGS
from streamer.config.problems import did_you_mean
from streamer.signals.derived import RATIO
from streamer.signals.grammar import AGGREGATE, HEADS, STATS, parse_signal
from streamer.signals.kinds import FORMS

Table = dict[str, str]


def _spelled(rows: dict[str, str]) -> Table:
    """One entry for each of the words of a row."""
    return {word: told for words, told in rows.items() for word in words.split()}


TRUTH = (
    "needs the true answer: told later, labels: {} and signal realised_error; in the event, checks: "
    "{label: {same_as: /POINTER}} and signal invalid.label"
)
ERROR = (
    "needs the true value: told later, labels: {} and signal absolute_error; in the event, checks: "
    "{value: {same_as: /POINTER}} and signal invalid.value"
)
COUNTED = "detect.max (fraction, distribution), detect.threshold (page_hinkley), detect.beyond and .change (level)"
DISTANCE = "detect: {{kind: distribution, distance: {}}}"

KEYS: Table = _spelled(
    {
        "bootstrap_servers bootstrap bootstrap_server broker broker_list servers hosts url": "kafka.brokers",
        "brokers": "kafka.brokers",
        "group_id consumer_group groupid application_id consumer": "kafka.group",
        "group_instance_id client_id member_id": "kafka.instance",
        "auto_offset_reset offset_reset offset initial_offset startup_mode": "kafka.start",
        "security sasl ssl tls auth username password": "kafka.client, with librdkafka's names such as sasl.username",
        "librdkafka options properties config settings": "kafka.client",
        "topic input inputs source sources input_topic input_topics events_topic": "topics.events: [NAME]",
        "output outputs sink sinks output_topic alert_topic alerts_topic alert alerts": "topics.alerts",
        "max upper_limit": "beyond or change of a level; max is of fraction and distribution",
        "lambda lambda_ ph_lambda": "threshold (page_hinkley)",
        "prediction predictions": "label for a class, value for a number, or scores",
        "webhook webhook_url hook_url incoming_webhook": "url",
        "routingkey integration_key service_key": "routing_key",
        "dlq dead_letter_queue dead_letter_topic dead_letters deadletter": "topics.dead_letter",
        "state_topic changelog_topic checkpoint checkpoints": "topics.state",
        "port host http listen_address metrics metrics_port prometheus address bind": "server.listen: HOST:PORT",
        "flush_interval commit_interval commit_interval_ms checkpoint_interval": "commit.interval",
        "schema schemas columns": "fields",
        "baseline baseline_file reference_data reference_file reference_dataset": "reference.file",
        "warm_up warmup_size grace_period burn_in training_size": "reference.warmup",
        "detector detectors algorithm method drift_method stattest test": "detect: {kind: adwin}",
        "metric feature column field target": "signal, such as features.NAME",
        "type": "detect: {kind: ...}",
        "threshold thresholds upper_bound stattest_threshold": COUNTED,
        "alpha p_value pvalue significance significance_level": "detect.chance of share; distribution has surprise",
        "window_size windowsize window_length": "window: {events: 1000} or {time: 1m}",
        "min_samples min_instances_per_window sample_size minimum": "detect.min_count",
        "group_by groupby split split_by segment_by dimensions": "by: [version, segment.NAME]",
        "name id": "not needed: the key of a monitor is its name",
        "enabled disabled": "not needed: take the monitor out; a standard one is taken away with NAME: false",
        "tags annotations": "severity, description, runbook_url",
        "level priority": "severity",
        "message summary": "description",
        "runbook": "runbook_url",
        "interval every frequency schedule": "window: {time: 1m}",
        "resolve_after auto_resolve resolve_timeout": "keep_firing_for",
        "timestamp time_field event_time": "fields.time",
        "rules": "monitors",
        "log_level logging": "not needed: the log has one level",
    }
)
"""Keys of the config."""

KINDS: Table = _spelled(
    {
        "psi population_stability_index": DISTANCE.format("psi"),
        "kl kld kl_divergence kullback_leibler js jsd js_divergence jensenshannon": DISTANCE.format("jensen_shannon"),
        "jensen_shannon": DISTANCE.format("jensen_shannon"),
        "hellinger hellinger_distance": DISTANCE.format("hellinger"),
        "wasserstein emd earth_mover earth_movers_distance": DISTANCE.format("wasserstein"),
        "ks ks_test kstest kolmogorov_smirnov ks_2samp": DISTANCE.format("kolmogorov_smirnov"),
        "chi2 chi_square chi_squared chisquare cramers_v cramer_v": DISTANCE.format("cramers_v"),
        "total_variation tvd tv": DISTANCE.format("total_variation"),
        "l_infinity linf l_inf": DISTANCE.format("l_infinity"),
        "mmd lsdd energy_distance domain_classifier classifier_drift": "signal: distance with detect: {kind: adwin}",
        "mahalanobis multivariate": "signal: distance with detect: {kind: adwin}",
        "z_score zscore z_test ztest sigma stddev three_sigma": (
            "kind: level (beyond: 4) of an aggregate such as mean(features.NAME); for single events the signal anomaly"
        ),
        "threshold static static_threshold limit": "kind: fraction for a 0/1 signal, level for an aggregate",
        "percentage ratio rate": "kind: fraction (a fixed share) or share (against the reference)",
        "cusum ph pagehinkley page_hinkley_test page": "kind: page_hinkley",
        "adaptive_windowing adaptive_window": "kind: adwin",
        "e_detector edetector sr shiryaev conformal conformal_martingale rank": "kind: shiryaev_roberts",
        "drift data_drift concept_drift mean mean_shift auto default": "kind: adwin",
        "ddm eddm hddm_a hddm_w hddma hddmw kswin fhddm": "kind: river, name: DDM (EDDM, HDDMA, HDDMW, KSWIN, FHDDM)",
        "ewma moving_average seasonal forecast prophet holt_winters": "kind: level, season: day or week if need be",
        "mann_kendall theil_sen slope regression": "kind: trend",
        "no_data absent absence dead_man heartbeat freshness": "kind: silence, of signal events",
        "staleness stale": "kind: age, of signal events",
        "anomaly outlier outliers isolation_forest lof": "signal: anomaly with detect: {kind: fraction, max: 0.05}",
        "missing nulls null_rate missing_values completeness": "signal: missing.NAME with detect: {kind: adwin}",
        "range schema type regex values allowed expectation": "checks, and signal invalid.NAME",
        "any every once event": "kind: occurrence",
        "proportion binomial fisher": "kind: share",
    }
)
"""`detect.kind`."""

SIGNALS: Table = _spelled(
    {
        "accuracy acc f1 f1_score precision recall auc roc_auc performance quality": TRUTH,
        "logloss log_loss concept_drift": TRUTH,
        "rmse mse mae mape r2 residual": ERROR,
        "disparate_impact demographic_parity statistical_parity four_fifths": "selection_ratio.LABEL, with by",
        "error_disparity accuracy_equality": "error_ratio, with by",
        "error_rate errors failure_rate failures": "error",
        "latency duration response_time latency_p50 elapsed latency_seconds": "latency_ms, or p95(latency_ms)",
        "p50_latency p90_latency p95_latency p99_latency latency_p90 latency_p95 latency_p99": "p95(latency_ms)",
        "null_rate nulls null missing_rate missing_values missing completeness": "missing.NAME, or missing.*",
        "throughput qps rps tps request_count requests volume request_rate": "traffic",
        "heartbeat no_data liveness absence": "events, with detect: {kind: silence}",
        "drift drift_score data_drift psi ks kl mmd distribution": "features.*, with detect: {kind: distribution}",
        "prediction predictions output y_pred target": "label (or label.*) for classes, value for a number, score.NAME",
        "predicted_label class": "label, or label.*",
        "prediction_value regression": "value",
        "confidence_score probability proba": "confidence, or score.NAME",
        "score scores": "score.NAME, or confidence for the greatest",
        "logits logit": "logit.INDEX",
        "outlier outliers anomalies anomaly_rate anomaly_score outlier_score": "anomaly",
        "mahalanobis multivariate multivariate_drift": "distance",
        "out_of_distribution": "ood",
        "feature features inputs input numeric all": "features.*, or features.NAME",
        "categories categorical category": "category.*, or category.NAME",
        "new_category new_categories unseen_category unseen": "unseen.*, or unseen.NAME",
        "schema invalid validity data_quality": "invalid.*, and checks",
        "schema_change new_column": "new_feature.*",
        "type_change dtype data_type": "type_change.*, or checks",
        "class_balance label_distribution": "label.*",
        "status_code status": "status.*, or error",
        "model_version versions": "version.*, or version_change",
        "feedback overrides override action": "action.NAME, and the section feedback",
        "ground_truth target actual": "truth.NAME, and the section labels",
        "segment segments": "by: [segment.NAME] beside another signal",
    }
)
"""Signals of one word."""

STAT: Table = _spelled({"avg average": "mean", "stddev stdev sd": "std", "maximum": "max", "minimum": "min"})
"""Statistics of an aggregate."""

INNER: Table = _spelled({"latency duration response_time elapsed": "latency_ms", "probability proba": "confidence"})
"""Numbers within an aggregate or a ratio."""

VALUES: Table = _spelled(
    {
        "beginning smallest oldest start first from_beginning": "earliest",
        "end largest newest now last": "latest",
        "high error fatal page p1 sev1 major": "critical",
        "low notice minor ok": "info",
        "warn medium moderate": "warning",
        "increase increasing above higher greater rise positive": "up",
        "decrease decreasing below lower less fall negative": "down",
        "any either two_sided": "both",
        "ignore reset restart continue relearn": "rebaseline",
        "fail stop exit abort error_out": "halt",
        "ks ks_test kstest": "kolmogorov_smirnov",
        "kl kld js jsd kl_divergence js_divergence": "jensen_shannon",
        "emd earth_mover": "wasserstein",
        "chi2 chi_square chi_squared": "cramers_v",
        "tv tvd": "total_variation",
        "linf l_inf": "l_infinity",
        "daily 24h 1d": "day",
        "weekly 7d": "week",
        "float int integer double numeric": "number",
        "string str category categorical": "text",
    }
)
"""Values of which there are only a few."""

SPLITS: Table = _spelled(
    {
        "model_version": "'version'",
        "client user tenant consumer": "'caller'",
        "class": "'label'",
        "model model_name": "not needed, every model is watched on its own",
    }
)
"""Fields of `by`."""


DISTANCES = {"metric", "method", "test", "stattest", "algorithm", "measure", "statistic", "divergence"}
"""What others call the distance of a distribution."""


def _plain(word: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", word.lower()).strip("_")


def instead_of(table: Table, word: str) -> str:
    """What to write for a word, empty where it is none of the table."""
    return table.get(_plain(word), "")


def instead_of_key(owner: str, key: str, known: Iterable[str]) -> str:
    """What to write for an unknown key of a mapping, as a sentence: where a setting of librdkafka belongs, the key that
    is near, what a word of another tool is here.
    """
    if key == "<<":
        return " YAML 1.2 has no merge keys: write the keys out; what all monitors share goes to defaults."
    if key != key.strip():
        return " It begins or ends with a blank that is no ' ': a no-break one, perhaps."
    setting = key if key in SETTINGS or key in RESERVED else key.replace("_", ".")
    if owner == "kafka" and setting in RESERVED:
        return f" It is the service's own: {RESERVED[setting]}."
    if owner in ("", "kafka") and setting in SETTINGS:
        return f" It is a setting of librdkafka: write it below kafka.client, as {setting!r}."
    names = list(known)
    if "distance" in names and _plain(key) in DISTANCES:
        return " Here it is distance: psi, kolmogorov_smirnov, ..."
    found, typo = instead_of(KEYS, key), difflib.get_close_matches(key, names, 1, 0.8)
    return f" Here it is {found}." if found and not typo else did_you_mean(key, names)


def instead_of_split(text: str) -> str:
    """The same for a text that is no field of `by`."""
    found = instead_of(SPLITS, text)
    near = difflib.get_close_matches(text, ["version", "caller", "label"], 1, 0.6)
    if found:
        return f" Here it is {found}."
    if near:
        return f" Did you mean {near[0]!r}?"
    plain = re.fullmatch(r"[A-Za-z_]\w*", text) and text != "segment"
    return f" Of a segment: {'segment.' + text!r}." if plain else " Known: caller, label, segment.NAME, version."


PLACE = re.compile(r"prediction[./](label|value|confidence)|[\w-]+(?:/[\w.-]+)+").fullmatch
"""A place in an event as others write it."""


def instead_of_signal(text: str) -> str:
    """What to write for a text that is no signal, as a sentence."""
    if text.startswith((".", "$")):
        return f" As a place in an event: {as_pointer(text)!r}."
    word = instead_of(SIGNALS, text)
    if word:
        return f" {text} {word}." if word in (TRUTH, ERROR) else f" Here it is {word}."
    found = AGGREGATE(text) or RATIO(text)
    if found is not None:
        return _instead_of_call(text, *found.groups())
    place = PLACE(text)
    if place is not None:
        return f" Did you mean {place[1] or '/' + text!r}?"
    head, dot, member = text.partition(".")
    near = difflib.get_close_matches(head, HEADS, 1, 0.6) if dot and member and head not in HEADS else []
    if near:
        return f" Did you mean {f'{near[0]}.{member}'!r}?"
    slip = did_you_mean(text, FORMS)
    return slip if slip or not re.fullmatch(r"[A-Za-z_]\w*", text) else f" Of a feature: {'features.' + text!r}."


def _instead_of_call(text: str, *parts: str) -> str:
    """The same for `STAT(NUMBER)` and `ratio(A, B)`."""
    stat, inner = (STAT.get(parts[0], parts[0]), parts[1:]) if AGGREGATE(text) else ("ratio", parts)
    if stat not in (*STATS, "ratio"):
        return f" {stat!r} is none of {', '.join(STATS)}."
    made = f"{stat}({', '.join(map(_number, inner))})"
    if "*" not in made and _is_signal(made):
        return f" Did you mean {made!r}?"
    if stat == "ratio":
        return " It is of two numbers: ratio(features.A, features.B)."
    return f" It is of one number: {stat}(features.NAME)."


def _number(text: str) -> str:
    """A number within an aggregate: a word of another tool, or a feature without its head."""
    if text in INNER:
        return INNER[text]
    return text if _is_signal(text) else f"features.{text}"


def _is_signal(text: str) -> bool:
    try:
        parse_signal(text)
    except ValueError:
        return False
    return True
