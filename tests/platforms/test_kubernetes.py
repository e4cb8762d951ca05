"""What a cluster is given: valid objects that agree with the image, and never a secret's value."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from dockerfile_parse import DockerfileParser

from django_deploykit.config.facts import Hosts, Mount, SiteFacts, StaticFiles
from django_deploykit.config.platforms.pod import command
from django_deploykit.config.renderer import Rendered
from django_deploykit.config.stack import Stack, resolve
from django_deploykit.exceptions import ChoiceError, DeploykitError, UnrepresentableValue
from tests.cases import CASES, DEPLOYMENT, produced, site

# The oldest and the newest version that is supported today, of those that its words are for.
VERSIONS = ("1.34", "1.37")
# Of the Gateway API no schema comes in a package.
WITHOUT_SCHEMA = ("HTTPRoute",)
# Each distinct text once: most cases differ in what is not a cluster's.
MANIFESTS = {
    text: (target, name)
    for target in ("kubernetes", "kubernetes-migrate")
    for name in CASES
    for suffix, text in [produced(target, name)]
    if suffix == ".yaml"
}
NAME = "DEPLOYKIT['SITE']['NAME']"


def written(
    facts: SiteFacts | None = None,
    target: str = "kubernetes",
    directory: Path | None = Path("/srv/shop/deploy"),
    **chosen: Any,
) -> dict[str, Rendered]:
    """Every file of the written set, by name."""
    stack = resolve(target)
    plan = stack.plan([facts or site()], replace(DEPLOYMENT, **chosen), directory)
    return {one.filename: one for one in stack.render(plan)}


def objects(text: str) -> dict[str, Any]:
    return {one["kind"]: one for one in yaml.safe_load_all(text)}


def cluster(facts: SiteFacts | None = None, **chosen: Any) -> dict[str, Any]:
    """The objects of a site, by kind."""
    facts = facts or site()
    return objects(written(facts, **chosen)[f"kubernetes/{facts.name}.yaml"].text)


def pod(found: dict[str, Any]) -> Any:
    return found["Deployment"]["spec"]["template"]["spec"]


@pytest.mark.parametrize(("target", "name"), MANIFESTS.values())
@pytest.mark.parametrize("version", VERSIONS)
def test_objects_are_valid(target: str, name: str, version: str) -> None:
    """Every object of every case is what that version's API takes: no field is unknown."""
    for found in yaml.safe_load_all(produced(target, name)[1]):
        if found["kind"] not in WITHOUT_SCHEMA:
            kubernetes_validate.validate(found, version, strict=True)


def test_the_checker_would_tell() -> None:
    """A misspelt field is refused: the test above can fail."""
    found = cluster()["Deployment"]
    found["spec"]["template"]["spec"]["automountServiceToken"] = False
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(found, VERSIONS[0], strict=True)


def test_the_written_set() -> None:
    """Manifests, image, application server and script; nothing for the host, and none of its
    directories is to be prepared."""
    found = written()
    assert sorted(found) == [
        "docker/Dockerfile",
        "docker/Dockerfile.dockerignore",
        "gunicorn/shop_gunicorn.py",
        "gunicorn/shop_wsgi.py",
        "kubernetes/shop-migrate.yaml",
        "kubernetes/shop.yaml",
    ]
    assert not any(one.needs.access or one.needs.packages for one in found.values())


def test_two_checkouts_write_the_same() -> None:
    """Nothing of the machine that writes is in any file: not its paths, not its cores."""
    here, there = (
        written(site(root=root), directory=Path(root, "deploy"), processes=cores)
        for root, cores in (("/srv/shop", 2), ("/home/bob/work trees/shop", 64))
    )
    assert {name: one.text for name, one in here.items()} == {
        name: one.text for name, one in there.items()
    }


def test_the_deployment_agrees_with_the_image() -> None:
    """Account, port and command are the same in both, and the command's files are in the set."""
    found = written()
    spec = pod(objects(found["kubernetes/shop.yaml"].text))
    image = DockerfileParser(fileobj=BytesIO(found["docker/Dockerfile"].text.encode())).structure
    said = {one["instruction"]: one["value"] for one in image}
    account = spec["securityContext"]
    assert said["USER"] == f"{account['runAsUser']}:{account['runAsGroup']}"
    (web,) = spec["containers"]
    assert said["EXPOSE"] == str(web["ports"][0]["containerPort"])
    assert json.loads(said["CMD"]) == web["command"]
    assert web["command"][-1] == "/app/deploy/gunicorn/shop_gunicorn.py"
    settings: dict[str, Any] = {}
    exec(found["gunicorn/shop_gunicorn.py"].text, settings)  # noqa: S102 - what gunicorn does
    assert settings["bind"] == [f":{said['EXPOSE']}"]
    assert (settings["chdir"], settings["workers"]) == ("/app", 1)
    assert "/app/deploy/gunicorn" in found["gunicorn/shop_gunicorn.py"].text


def test_a_pod_may_do_nothing_that_it_need_not() -> None:
    """What "restricted", the strictest standard of Kubernetes, asks for, and a read-only root, for
    the pods that serve and for the one that migrates."""
    found = written()
    job = objects(found["kubernetes/shop-migrate.yaml"].text)["Job"]
    for spec in (pod(objects(found["kubernetes/shop.yaml"].text)), job["spec"]["template"]["spec"]):
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] > 0
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        (only,) = spec["containers"]
        assert only["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        }
        assert [mount["mountPath"] for mount in only["volumeMounts"]] == ["/tmp"]
        assert all("emptyDir" in volume for volume in spec["volumes"])


def test_only_pods_that_serve_get_requests() -> None:
    """Service, budget and Deployment select the same pods, and not the one that migrates."""
    found = written()
    web = objects(found["kubernetes/shop.yaml"].text)
    selector = web["Service"]["spec"]["selector"]
    assert selector == web["Deployment"]["spec"]["selector"]["matchLabels"]
    assert selector == web["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert selector == web["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"]
    job = objects(found["kubernetes/shop-migrate.yaml"].text)["Job"]
    assert not selector.items() <= job["spec"]["template"]["metadata"]["labels"].items()


@pytest.mark.parametrize(("timeout", "killed"), [(60, 85), (1, 26), (600, 625)])
def test_a_pod_ends_after_its_requests(timeout: int, killed: int) -> None:
    """It is killed only after it was taken out of every list and its requests had their time."""
    spec = pod(cluster(request_timeout=timeout))
    drain = spec["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert spec["terminationGracePeriodSeconds"] == killed > drain + timeout


def test_a_roll_out_takes_no_pod_away() -> None:
    """One more comes before one goes, and the number is the autoscaler's."""
    found = cluster(replicas=3, max_replicas=7)
    spec = found["Deployment"]["spec"]
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert "replicas" not in spec
    scaled = found["HorizontalPodAutoscaler"]["spec"]
    assert (scaled["minReplicas"], scaled["maxReplicas"]) == (3, 7)


@pytest.mark.parametrize(
    ("hosts", "asked", "routed"),
    [
        (("example.com", "www.example.com"), "example.com", ["example.com", "www.example.com"]),
        ((".example.com",), "example.com", ["example.com", "*.example.com"]),
        (("example.com", ".example.com"), "example.com", ["example.com", "*.example.com"]),
        (("192.0.2.1", "[::1]", "example.com"), "192.0.2.1", ["example.com"]),
        (("*",), None, None),
    ],
)
def test_hosts(hosts: tuple[str, ...], asked: str | None, routed: list[str] | None) -> None:
    """Probes name a host that Django takes, routes all of them; addresses are no names."""
    facts = site(hosts=Hosts(names=hosts))
    found = cluster(facts)
    (web,) = pod(found)["containers"]
    headers = {one["name"]: one["value"] for one in web["readinessProbe"]["httpGet"]["httpHeaders"]}
    assert headers.get("Host") == asked
    assert found["HTTPRoute"]["spec"].get("hostnames") == routed
    ingress = cluster(facts, ingress_class="nginx")["Ingress"]["spec"]
    assert [rule.get("host") for rule in ingress["rules"]] == (routed or [None])
    assert ingress["tls"][0].get("hosts") == routed


@pytest.mark.parametrize(
    ("facts", "setting"),
    [
        (site("0shop"), NAME),
        (site("_"), NAME),
        (site("a" * 33), NAME),
        (site(hosts=Hosts(names=("my_host.example.com",))), "ALLOWED_HOSTS"),
        (site(hosts=Hosts(names=("192.0.2.1",))), "ALLOWED_HOSTS"),
        (site(hosts=Hosts(names=tuple(f"{n}.example.com" for n in range(17)))), "ALLOWED_HOSTS"),
    ],
)
def test_what_no_object_can_be_called(facts: SiteFacts, setting: str) -> None:
    """A name that the API server would refuse is refused here, with its setting."""
    with pytest.raises(UnrepresentableValue, match=re.escape(f"from {setting} cannot")):
        cluster(facts)


def test_commands_are_literal() -> None:
    """A cluster replaces $(NAME) in commands, and two dollars by one: nothing is replaced."""
    text = written(target="kubernetes-migrate", directory=None)["kubernetes/shop-migrate.yaml"].text
    assert "$" not in text
    assert command(["a", "/$(HOME)/$", "$$(X)"]).value == ["a", "/$$(HOME)/$$", "$$$$(X)"]


def test_a_directory_that_no_image_can_hold() -> None:
    """Where the files are written is refused by its name, if an image cannot have it."""
    with pytest.raises(UnrepresentableValue, match="from --output cannot be written in a Docker"):
        written(directory=Path("/srv/shop/$(HOME)"))


@pytest.mark.parametrize(
    ("ref", "parent"),
    [
        ("public", {"name": "public"}),
        ("infra/public", {"name": "public", "namespace": "infra"}),
    ],
)
def test_the_gateway_is_the_clusters(ref: str, parent: dict[str, str]) -> None:
    """An HTTPRoute names its Gateway, and leads the site's prefix to the Service."""
    found = cluster(site(prefix="/shop"), parent_ref=ref)
    assert found["HTTPRoute"]["spec"]["parentRefs"] == [parent]
    (rule,) = found["HTTPRoute"]["spec"]["rules"]
    assert rule["matches"] == [{"path": {"type": "PathPrefix", "value": "/shop"}}]
    assert rule["backendRefs"] == [{"name": found["Service"]["metadata"]["name"], "port": 80}]


@pytest.mark.parametrize(
    ("routes", "static", "paths"),
    [
        ((), "/app/static/", ["/app"]),
        (("/in/", "/api"), "/app/static/", ["/app/in", "/app/api", "/app/static"]),
        (("/in/", "/api/"), "/files/", ["/app/in", "/app/api", "/files"]),
        (("/in/",), "/app/in/static/", ["/app/in"]),
        (("/",), "/app/static/", ["/app"]),
    ],
)
def test_a_route_takes_no_more_than_the_site(
    routes: tuple[str, ...], static: str, paths: list[str]
) -> None:
    """With ROUTES, the rest of the host is somebody else's; the static files are the pods' too."""
    mount = Mount(url=static, directory=Path("/srv/static"), setting="STATIC_ROOT")
    files = StaticFiles(mounts=(mount,))
    facts = site(prefix="/app", routes=routes, static=files)
    (rule,) = cluster(facts)["HTTPRoute"]["spec"]["rules"]
    assert rule["matches"] == [{"path": {"type": "PathPrefix", "value": path}} for path in paths]
    (rule, *_) = cluster(facts, ingress_class="nginx")["Ingress"]["spec"]["rules"]
    assert [one["path"] for one in rule["http"]["paths"]] == paths
    assert not any("ROUTES" in line for one in written(facts).values() for line in one.warnings)


def test_more_routes_than_one_takes() -> None:
    """A rule of an HTTPRoute has 64 matches at most."""
    facts = site(routes=tuple(f"/r{number}/" for number in range(64)))
    with pytest.raises(UnrepresentableValue, match="a route holds 64"):
        cluster(facts)


def test_a_new_image_is_a_new_job() -> None:
    """A Job never changes: another image makes another name, the same one the same."""
    texts = [
        written(target="kubernetes-migrate", image=image)["kubernetes/shop-migrate.yaml"].text
        for image in ("shop:1.0", "shop:1.0", "shop:1.1")
    ]
    names = [objects(text)["Job"]["metadata"]["name"] for text in texts]
    assert names[0] == names[1] != names[2]


def test_values_are_referred_to() -> None:
    """Variables come from a ConfigMap and a Secret by name; a site that reads a file of them on a
    host does not start without the Secret."""
    for env_file in (None, Path("/etc/shop.env")):
        application = replace(site().application, env_file=env_file)
        found = written(site(application=application))
        (web,) = pod(objects(found["kubernetes/shop.yaml"].text))["containers"]
        assert web["envFrom"] == [
            {"configMapRef": {"name": "shop", "optional": True}},
            {"secretRef": {"name": "shop", "optional": env_file is None}},
        ]
        assert "env" not in web
        assert not any(
            "shop.env" in one.text for name, one in found.items() if "docker" not in name
        )


@pytest.mark.parametrize(("path", "liveness"), [(None, "tcpSocket"), ("/healthz/", "httpGet")])
def test_only_a_page_made_for_it_restarts_a_pod(path: str | None, liveness: str) -> None:
    """A usual page may fail with the database: then no pod is started anew for it."""
    (web,) = pod(cluster(health=path))["containers"]
    assert web["readinessProbe"]["httpGet"]["path"] == (path or "/")
    assert liveness in web["livenessProbe"]


@pytest.mark.parametrize("timeout", [1, 60, 600])
def test_no_pod_is_restarted_for_requests_that_may_run(timeout: int) -> None:
    """While each thread has a request that may last so long, the page is not answered either."""
    (web,) = pod(cluster(health="/healthz/", request_timeout=timeout))["containers"]
    probe = web["livenessProbe"]
    assert probe["timeoutSeconds"] * probe["failureThreshold"] > timeout
    assert probe["timeoutSeconds"] * (probe["failureThreshold"] - 1) < timeout + 60


@pytest.mark.parametrize("app_server", ["uvicorn", "uwsgi", "granian"])
def test_servers_that_need_a_front_are_refused(app_server: str) -> None:
    """Nothing stands in front of them in a pod that would clean what a client sends."""
    stack: Stack = resolve("kubernetes", app_server=app_server)
    with pytest.raises(ChoiceError, match="needs a front server"):
        stack.render(stack.plan([site()], DEPLOYMENT))


def test_fewer_at_most_than_at_least() -> None:
    """Numbers that contradict each other are refused."""
    with pytest.raises(ChoiceError, match="max_replicas=2 is less than replicas=3"):
        cluster(replicas=3, max_replicas=2)


@pytest.mark.parametrize("target", ["kubernetes", "dockerfile", "dockerignore"])
def test_several_sites_are_refused(target: str) -> None:
    """An image is one site's."""
    stack = resolve(target)
    with pytest.raises(DeploykitError, match="shop, blog have an image each"):
        stack.render(stack.plan([site(), site("blog")], DEPLOYMENT))


def test_uploads_are_lost_whoever_may_read_them() -> None:
    """What nobody but Django serves ends with the pod too."""
    facts = site(closed_uploads=Path("/srv/shop/up"), stored=(Path("/srv/shop/invoices"),))
    warnings = written(facts)["kubernetes/shop.yaml"].warnings
    for setting in ("MEDIA_ROOT", "STORAGES"):
        assert any(text.startswith(f"shop: {setting}: files of a pod") for text in warnings)


def test_warnings_of_what_a_pod_would_lose() -> None:
    """Files in a pod, an image of no name, and a gateway that nobody believes."""
    warned = written(
        site(media=CASES["protected"].sites[0].media, databases=(Path("/srv/shop/db"),))
    )["kubernetes/shop.yaml"].warnings
    assert [text.partition(":")[0] for text in warned] == [
        "shop",
        "shop",
        "image",
        "health",
        "DEPLOYKIT['PROXY'] is unset",
    ]
    quiet = site(believes_proxies=True)
    assert written(quiet, image="shop:1", health="/up")["kubernetes/shop.yaml"].warnings == ()


def test_warnings_of_what_a_pod_may_not_write() -> None:
    """A cache in files and a log, but not below /tmp."""
    facts = site(
        believes_proxies=True,
        caches=(Path("/srv/shop/cache"), Path("/tmp/cache")),
        writes=(("LOGGING", Path("/var/log/shop")), ("FILE_UPLOAD_TEMP_DIR", Path("/tmp"))),
    )
    warned = written(facts, image="shop:1", health="/up")["kubernetes/shop.yaml"].warnings
    assert [text.split(": ")[1] for text in warned] == ["CACHES", "LOGGING"]
    assert "'/var/log/shop'" in warned[1]


def test_the_gateway_lets_go_first() -> None:
    """It keeps connections for requests to come: one that gunicorn closes meanwhile is a 502."""
    emitted = written()["gunicorn/shop_gunicorn.py"].text
    assert "keepalive = 75\n" in emitted
    alone = resolve("gunicorn")
    plan = alone.plan([site()], DEPLOYMENT, Path("/srv/deploy"))
    assert "keepalive = 5\n" in alone.renderer(plan).render().text


def test_defaults_are_of_no_machine() -> None:
    """A container has one CPU and one process, however many cores this machine has."""
    (web,) = pod(cluster(processes=64))["containers"]
    assert web["resources"]["requests"]["cpu"] == "1"


def test_the_image_is_built_without_a_secret() -> None:
    """Secrets are there while one command runs; nothing but settings' name is a variable."""
    text = written()["docker/Dockerfile"].text
    image = DockerfileParser(fileobj=BytesIO(text.encode())).structure
    assert [one["instruction"] for one in image if one["instruction"] in ("ARG", "ADD")] == []
    assert {one["value"] for one in image if one["instruction"] == "ENV"} == {
        "DJANGO_SETTINGS_MODULE=shop.settings"
    }
    runs = [one["value"] for one in image if one["instruction"] == "RUN"]
    (collects,) = [run for run in runs if "collectstatic" in run]
    assert shlex.split(collects)[0] == "--mount=type=secret,id=environment"
    assert image[-1]["instruction"] == "CMD"
