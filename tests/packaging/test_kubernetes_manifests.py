"""The manifests for Kubernetes: valid by its own schemas, and what the service and its image expect."""

import shutil
import subprocess

import kubernetes_validate
import pytest
import yaml

from service.settings import load_settings
from tests.docs.markdown_text import ROOT

FOLDER = ROOT / "docs" / "deploy" / "kubernetes"
#: The oldest and the newest of Kubernetes that are supported where this was written.
VERSIONS = ("1.30", "1.37")


def documents(path):
    return list(yaml.safe_load_all(path.read_text()))


def manifests():
    """Return every manifest that kustomize applies, by kind and name."""
    listed = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())["resources"]
    every = [document for name in listed for document in documents(FOLDER / name)]
    return {(document["kind"], document["metadata"]["name"]): document for document in every}


def pod_of(manifest):
    return manifest["spec"]["template"]["spec"]


DEPLOYMENT = manifests()["Deployment", "wechat-openid"]
PODS = [pod_of(DEPLOYMENT), pod_of(manifests()["Job", "wechat-openid-migrate"])]


def test_every_file_is_applied_but_the_example():
    listed = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())["resources"]
    there = {path.name for path in FOLDER.glob("*.yaml")}
    assert there - set(listed) == {"kustomization.yaml", "secret.example.yaml"}


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_knows_every_field(version):
    for manifest in (*manifests().values(), *documents(FOLDER / "secret.example.yaml")):
        kubernetes_validate.validate(manifest, version, strict=True)


def test_a_field_that_kubernetes_does_not_know_would_be_found():
    wrong = yaml.safe_load((FOLDER / "deployment.yaml").read_text())
    wrong["spec"]["template"]["spec"]["containers"][0]["readOnlyRootFilesystem"] = True
    with pytest.raises(kubernetes_validate.ValidationError, match="readOnlyRootFilesystem"):
        kubernetes_validate.validate(wrong, VERSIONS[0], strict=True)


def test_kustomize_puts_them_together():
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed here")
    rendered = subprocess.run(["kubectl", "kustomize", str(FOLDER)], capture_output=True, text=True, check=True).stdout
    applied = list(yaml.safe_load_all(rendered))
    assert {(one["kind"], one["metadata"]["name"]) for one in applied} == set(manifests())
    for one in applied:
        kubernetes_validate.validate(one, VERSIONS[0], strict=True)
        assert one["kind"] == "Namespace" or one["metadata"]["namespace"] == "wechat-openid"


def test_the_service_takes_the_settings_of_the_deployment(tmp_path):
    pod = pod_of(DEPLOYMENT)
    [container] = pod["containers"]
    [mount] = [mount for mount in container["volumeMounts"] if mount["name"] == "secrets"]
    [example] = documents(FOLDER / "secret.example.yaml")
    for name, content in example["stringData"].items():
        (tmp_path / name).write_text(content)
    environment = dict(manifests()["ConfigMap", "wechat-openid"]["data"])
    for variable in container["env"]:
        environment[variable["name"]] = variable["value"].replace(mount["mountPath"], str(tmp_path))
    settings = load_settings(environment=environment)
    assert settings.database_url == example["stringData"]["database-url"]
    assert settings.secret == example["stringData"]["secret"]
    assert settings.secret_keys == example["stringData"]["secret-keys"]
    [name] = [name for kind, name in manifests() if kind == "Service" and name.endswith("private")]
    assert name in settings.admin_hosts
    assert settings.exchange_budget * DEPLOYMENT["spec"]["replicas"] == 40_000


def test_no_pod_has_more_than_it_needs():
    for pod in PODS:
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert f"USER {pod['securityContext']['runAsUser']}:" in (ROOT / "Dockerfile").read_text()
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }


def test_only_marked_pods_reach_the_private_listener():
    policy = manifests()["NetworkPolicy", "wechat-openid"]["spec"]
    rules = {port["port"]: rule.get("from") for rule in policy["ingress"] for port in rule["ports"]}
    assert set(rules) == {"public", "private"}
    marked = {"matchLabels": {"wechat-openid/private": "allowed"}}
    assert rules["private"] == [{"namespaceSelector": marked}, {"podSelector": marked}]
    selected = policy["podSelector"]["matchLabels"].items()
    assert selected <= DEPLOYMENT["spec"]["template"]["metadata"]["labels"].items()
    ports = {port["name"]: port["containerPort"] for port in pod_of(DEPLOYMENT)["containers"][0]["ports"]}
    assert ports == {"public": 8888, "private": 8889}


def test_services_and_the_budget_select_the_servers_and_not_the_job():
    servers = DEPLOYMENT["spec"]["template"]["metadata"]["labels"].items()
    job = manifests()["Job", "wechat-openid-migrate"]["spec"]["template"]["metadata"]["labels"].items()
    selectors = [one["spec"]["selector"] for (kind, _), one in manifests().items() if kind == "Service"]
    selectors.append(manifests()["PodDisruptionBudget", "wechat-openid"]["spec"]["selector"]["matchLabels"])
    assert len(selectors) == 3
    for selector in selectors:
        assert selector.items() <= servers
        assert not selector.items() <= job


def test_probes_ask_what_the_private_listener_answers():
    [container] = pod_of(DEPLOYMENT)["containers"]
    asked = {kind: container[kind]["httpGet"] for kind in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert {get["port"] for get in asked.values()} == {"private"}
    assert asked["livenessProbe"]["path"] == "/healthz"
    assert asked["readinessProbe"]["path"] == "/readyz"
