"""Figures as they are exposed to Prometheus."""

from prometheus_client.parser import text_string_to_metric_families


def metric_value(service, name, **labels):
    """Return the sum of the samples of a name that have these labels."""
    _, text = service.metrics.expose()
    return sum(
        sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )
