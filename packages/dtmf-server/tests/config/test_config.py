"""A configuration is either fully read or refused with one line that says where; secrets are never shown."""

from functools import partial
from pathlib import Path
from typing import Annotated, get_args, get_origin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dtmf_server import config
from dtmf_server.carriers.registry import names, settings_class
from dtmf_server.config import Config, ConfigError
from dtmf_server.config.section import description, known, type_at
from dtmf_server.config.source import SIZE_MAX, line_of

load = partial(config.load, settings_of=settings_class)

LONDON = """\
[[carrier]]
name = "london"
kind = "smpp"
host = "127.0.0.1"
system_id = "dtmf"
password = "hunter2"
"""
CHAIN = '[bitcoin]\ndescriptor = "wpkh(canary)#x"\nrpc = "http://user:canary@127.0.0.1:8332"\n'


@pytest.fixture
def refusal(tmp_path):
    """Return the error message for a refused configuration, with the file's folder removed."""

    def refuse(text, **environ):
        path = tmp_path / "dtmf.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        with pytest.raises(ConfigError) as refused:
            load(path, environ)
        message = str(refused.value)
        assert "\n" not in message
        assert "hunter2" not in message
        assert "canary" not in message
        return message.replace(f"{tmp_path}/", "")

    return refuse


@pytest.fixture
def loaded(tmp_path):
    def read(text, **environ):
        path = tmp_path / "dtmf.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load(path, environ)

    return read


def test_without_a_file_the_sandbox_is_configured():
    config = load(None, {"PATH": "/bin", "DTMF_TOKEN": "x", "DTMF_URL": "y", "DTMF_TEST_PG_URL": "z"})
    assert config == Config()
    assert (config.mode, config.server.host, config.server.port) == ("sandbox", "127.0.0.1", 8000)
    assert (config.rest.hours, config.retention.message_days, config.bitcoin.confirmations) == (24, 30, 2)
    assert config.database.url is None
    assert config.carrier == ()


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere\.toml.*No such file"):
        load(tmp_path / "nowhere.toml", {})


@pytest.mark.parametrize("path", ["", "/", "a\0b"])
def test_a_path_that_is_not_a_file_is_an_error(path):
    with pytest.raises(ConfigError, match="can't read this configuration file"):
        load(Path(path), {})


def test_a_file_with_every_section_is_read(loaded):
    config = loaded(
        'mode = "production"\n[server]\npublic_url = "https://numbers.example.org"\ntrusted_proxies = ["127.0.0.1"]\n'
        '[database]\nurl = "postgresql://dtmf@db/dtmf"\n[limits]\nrequests_per_second = 5\nsends_per_day = 7\n'
        '[signup]\nmode = "invite"\n[retention]\nmessage_days = 0\n[rest]\nhours = 0\n'
        + CHAIN
        + 'network = "main"\nconfirmations = 6\n'
        + LONDON
        + LONDON.replace("london", "paris")
    )
    assert config.mode == "production"
    assert config.server.trusted_proxies == ("127.0.0.1",)
    assert config.database.url == "postgresql://dtmf@db/dtmf"
    assert (config.bitcoin.network, config.bitcoin.confirmations) == ("main", 6)
    assert config.bitcoin.rpc == "http://user:canary@127.0.0.1:8332"
    assert [carrier.name for carrier in config.carrier] == ["london", "paris"]
    assert config.carrier[0].password == "hunter2"
    assert (config.carrier[0].port, config.carrier[0].bind, config.carrier[0].window) == (2775, "transceiver", 50)
    assert (config.limits.requests_per_second, config.signup.mode, config.rest.hours) == (5.0, "invite", 0)


@pytest.mark.parametrize("text", ["", "\ufeffmode = 'sandbox'", "mode = 'sandbox'\r\n[server]\r\nport = 8000\r\n"])
def test_empty_files_byte_order_marks_and_windows_line_ends_are_read(loaded, text):
    assert loaded(text) == Config()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a=1\n\nb=[\n", "dtmf.toml:3: not valid TOML"),
        ("mode = 'sandbox'\nb = \n", "dtmf.toml:2: not valid TOML"),
        ("mode = 'sandbox'\nmode = 'sandbox'\n", "dtmf.toml:2: not valid TOML"),
        (b"# ok\nmode = '\xff'\n", "dtmf.toml:2: not valid UTF-8"),
        (b"x = " + b"[" * 100_000, "nested too deeply"),
        (b"#" * (SIZE_MAX + 1), "file is larger than"),
        ("[server]\n\nprot = 1", "dtmf.toml:3: server.prot is not a setting; the nearest is server.port"),
        ("port = 80", "dtmf.toml:1: port is not a setting; the nearest is server.port"),
        ("# c\n[srever]\nport = 80", "dtmf.toml:2: srever is not a setting; the nearest is server"),
        ('"mo\\nde" = 1', "dtmf.toml:1: 'mo\\nde' is not a setting; the nearest is mode"),
        (
            LONDON + "passwort = 'hunter2'",
            "dtmf.toml:7: carrier[0].passwort is not a setting; the nearest is carrier.passw",
        ),
        (
            LONDON + LONDON.replace("london", "paris") + "ports = 1",
            "dtmf.toml:13: carrier[1].ports is not a setting; the",
        ),
        ("server = 3", "dtmf.toml:1: server must be a table, not 3"),
        ("\ncarrier = {}", "dtmf.toml:2: carrier must be a list of tables, not a table"),
        ("carrier = ['hunter']", "dtmf.toml:1: carrier[0] must be a table, not 'hunter'"),
        ("[server]\nport = '80'", "dtmf.toml:2: server.port must be a port from 1 to 65535, not '80'"),
        ("[server]\nport = 0", "dtmf.toml:2: server.port must be a port from 1 to 65535, not 0"),
        ("[server]\nport = 65536", "not 65536"),
        ("[server]\nport = true", "not true"),
        ("[server]\nport = 8000.0", "not 8000.0"),
        ("[server]\nport = 99999999999999999999999", "not 99999999999999999999999"),
        ("[server]\nport = 2024-01-01", "not 2024-01-01"),
        ("server.host = ''", "dtmf.toml:1: server.host must be a host name or IP address, not ''"),
        ("server.host = 'a b'", "server.host must be"),
        ('server.host = "a\\u0000"', "server.host must be"),
        ("server = { port = 1, host = '/' }", "dtmf.toml:1: server.host must be a host name"),
        ("[server]\ntrusted_proxies = '*'", "dtmf.toml:2: server.trusted_proxies must be a list of IP addresses"),
        ("[server]\ntrusted_proxies = [\n '10.0.0.1',\n '*',\n]", "dtmf.toml:2: server.trusted_proxies must be"),
        ("[server]\ntrusted_proxies = [1]", "dtmf.toml:2: server.trusted_proxies must be a list of"),
        ("[server]\ntrusted_proxies = ['10.0.0.1/8']", "dtmf.toml:2: server.trusted_proxies must be"),
        ("mode = 'prod'", "dtmf.toml:1: mode must be 'sandbox' or 'production', not 'prod'"),
        (f"mode = '{'x' * 999}'", "…"),
        ("[signup]\nmode = 'shut'", "dtmf.toml:2: signup.mode must be 'open', 'invite' or 'closed', not 'shut'"),
        ("[rest]\nhours = -1", "dtmf.toml:2: rest.hours must be whole hours from 0"),
        ("[rest]\nhours = 1.5", "not 1.5"),
        ("[retention]\nmessage_days = -1", "dtmf.toml:2: retention.message_days must be whole days from 0"),
        ("[limits]\nrequests_per_second = nan", "dtmf.toml:2: limits.requests_per_second must be a number above 0"),
        ("[limits]\nrequests_per_second = inf", "not inf"),
        ("[limits]\nrequests_per_second = 0", "not 0"),
        ("[limits]\nrequest_burst = 0", "dtmf.toml:2: limits.request_burst must be"),
        ("[limits]\nsends_per_day = -1", "dtmf.toml:2: limits.sends_per_day must be"),
        ("[bitcoin]\nconfirmations = 0", "dtmf.toml:2: bitcoin.confirmations must be a whole number from 1 to 144"),
        ("[bitcoin]\nnetwork = 'mainnet'", "dtmf.toml:2: bitcoin.network must be 'main', 'test'"),
        ("[bitcoin]\nnetwork = 'main'", "dtmf.toml:2: bitcoin.network is 'main': a sandbox never takes real coins"),
        (CHAIN.replace("http:", "ftp:"), "dtmf.toml:3: bitcoin.rpc must be http://user:password@host:port"),
        ("[bitcoin]\nrpc = ['canary']", "dtmf.toml:2: bitcoin.rpc must be http://user:password@host:port"),
        (CHAIN.replace("wpkh(", "xprvcanary("), "dtmf.toml:2: bitcoin.descriptor must be a descriptor like"),
        (CHAIN.replace("(canary", "(xprvcanary"), "dtmf.toml:2: bitcoin.descriptor must be"),
        (CHAIN.replace("rpc", "#"), "dtmf.toml:2: bitcoin.descriptor needs bitcoin.rpc"),
        (CHAIN.replace("descriptor", "#"), "dtmf.toml:3: bitcoin.rpc needs bitcoin.descriptor"),
        (LONDON.replace("password", "#"), "dtmf.toml:1: carrier[0] needs password, the ASCII password"),
        (LONDON.replace('"hunter2"', "2"), "dtmf.toml:6: carrier[0].password must be the ASCII password"),
        (LONDON.replace("hunter2", "hünter2"), "dtmf.toml:6: carrier[0].password must be the ASCII password"),
        (
            LONDON.replace("smpp", "smtp"),
            "dtmf.toml:3: carrier[0].kind is 'smtp', and no such kind is installed. Installed: andr",
        ),
        (LONDON.replace('"smpp"', "5"), "dtmf.toml:3: carrier[0].kind must be the kind of carrier, like 'smpp', not 5"),
        (LONDON.replace("london", "Lon don"), "dtmf.toml:2: carrier[0].name must be 1 to 40 of a-z"),
        (LONDON + "window = 0", "dtmf.toml:7: carrier[0].window must be a whole number from 1 to 1000, not 0"),
        (LONDON + "bind = 'both'", "dtmf.toml:7: carrier[0].bind must be 'transceiver', 'receiver', 'transmitter' or"),
        (LONDON + "port = -1", "dtmf.toml:7: carrier[0].port must be a port from 1 to 65535, not -1"),
        (LONDON + LONDON, "dtmf.toml:8: carrier[1].name is 'london', the name of an earlier carrier"),
    ],
)
def test_a_broken_file_is_refused_with_line_key_and_reason(refusal, text, complaint):
    assert complaint in refusal(text)


GOOD_URLS = {
    "database": "sqlite:///data/dtmf.db sqlite:////srv/dtmf.db postgresql://dtmf:pw@[::1]:5432/dtmf",
    "server": "http://127.0.0.1:8000 https://numbers.example.org/dtmf http://abc.onion",
}
BAD_URLS = {
    "database": "sqlite:// sqlite:/// sqlite:///:memory: sqlite:///a?mode=ro postgres://h/d mysql://h/d postgresql://"
    " postgresql://h postgresql://h/ postgresql://h:x/d postgresql://h:0/d postgresql://[/d postgresql+psycopg://h/d"
    " /data/dtmf.db",
    "server": "numbers.example.org ftp://h https:// https://u@h https://h/?q https://h/#f https://h:0 https://h:99999"
    " https://h:x https://[::1 https://h\\h https://é.example",
}
KEYS = {"database": "database.url", "server": "server.public_url"}


@pytest.mark.parametrize(("section", "url"), [(section, url) for section in KEYS for url in GOOD_URLS[section].split()])
def test_valid_urls_are_accepted(loaded, section, url):
    config = loaded(f"{KEYS[section]} = '{url}'")
    assert url in (config.database.url, config.server.public_url)


@pytest.mark.parametrize(
    ("section", "url"), [(section, url) for section in KEYS for url in ["", *BAD_URLS[section].split()]]
)
def test_invalid_urls_are_refused(refusal, section, url):
    assert f"dtmf.toml:1: {KEYS[section]} must be" in refusal(f"{KEYS[section]} = '{url}'")


def test_the_environment_overrides_the_file_and_the_defaults(loaded):
    config = loaded(
        "[server]\nport = 1\nhost = 'a'\n" + LONDON,
        DTMF_MODE="production",
        DTMF_SERVER__PORT="9000",
        DTMF_SERVER__TRUSTED_PROXIES="10.0.0.1, fd00::/8,",
        DTMF_LIMITS__REQUESTS_PER_SECOND="2.5",
        DTMF_SIGNUP__MODE="closed",
        DTMF_CARRIER__0__PASSWORD="12345",
        DTMF_METRICS__PORT="9100",
    )
    assert config.metrics.port == 9100
    assert (config.mode, config.server.host, config.server.port) == ("production", "a", 9000)
    assert config.server.trusted_proxies == ("10.0.0.1", "fd00::/8")
    assert (config.limits.requests_per_second, config.signup.mode) == (2.5, "closed")
    assert config.carrier[0].password == "12345"


@pytest.mark.parametrize(
    ("variable", "value", "complaint"),
    [
        ("DTMF_SERVER__PORT", "80a", "DTMF_SERVER__PORT: server.port must be a port from 1 to 65535, not '80a'"),
        ("DTMF_SERVER__PORT", "0", "not 0"),
        ("DTMF_SERVER__PORT", "", "not ''"),
        ("DTMF_SERVER__PORT", "٨٠", "must be a port"),
        ("DTMF_SERVER__HOST", "a\udcff", "server.host must be a host name"),
        ("DTMF_SERVER__PROT", "80", "'DTMF_SERVER__PROT' is not a setting; the nearest is DTMF_SERVER__PORT"),
        ("DTMF_SERVER_PORT", "80", "the nearest is DTMF_SERVER__PORT"),
        ("DTMF_server__port", "80", "the nearest is DTMF_SERVER__PORT"),
        ("DTMF_SERVER", "80", "'DTMF_SERVER' is not a setting"),
        ("DTMF_", "80", "'DTMF_' is not a setting"),
        ("DTMF_MODE__", "80", "the nearest is DTMF_MODE"),
        ("DTMF_MODE__0", "80", "the nearest is DTMF_MODE"),
        ("DTMF_TOKEN2", "x", "is not a setting"),
        ("DTMF_TRUSTED\n", "x", "'DTMF_TRUSTED\\n' is not a setting"),
        ("DTMF_CARRIER__LONDON__HOST", "x", "the nearest is DTMF_CARRIER__0__HOST"),
        ("DTMF_CARRIER__00__HOST", "x", "the nearest is DTMF_CARRIER__0__HOST"),
        ("DTMF_CARRIER__2__HOST", "x", "there are 1 of these, counted from 0"),
        ("DTMF_SERVER__TRUSTED_PROXIES", "10.0.0.1,*", "DTMF_SERVER__TRUSTED_PROXIES: server.trusted_proxies must"),
        ("DTMF_BITCOIN__RPC", "canary", "DTMF_BITCOIN__RPC: bitcoin.rpc must be http://"),
        ("DTMF_BITCOIN__RPC_FILE", "/no/such", "can't read this DTMF_BITCOIN__RPC_FILE file: No such file"),
        ("DTMF_BITCOIN__RPC_FILE", "", "can't read this DTMF_BITCOIN__RPC_FILE file"),
        ("DTMF_BITCOIN__NETWORK", "main", "DTMF_BITCOIN__NETWORK: bitcoin.network is 'main'"),
    ],
)
def test_an_invalid_variable_is_refused_and_named(refusal, variable, value, complaint):
    assert complaint in refusal(LONDON, **{variable: value})


def test_a_variable_inside_a_value_that_is_not_a_table_reports_the_files_error(refusal):
    assert "dtmf.toml:1: server must be a table, not 3" in refusal("server = 3", DTMF_SERVER__PORT="80")
    assert "dtmf.toml:1: carrier[0] must be a table" in refusal("carrier = [3]", DTMF_CARRIER__0__HOST="h")


def test_a_secret_can_come_from_a_file(loaded, refusal, tmp_path):
    secret = tmp_path / "secret"
    without = LONDON.replace("password", "#")
    for content in ("s3cret", "s3cret\n", "s3cret\r\n"):
        secret.write_bytes(content.encode())
        assert loaded(without, DTMF_CARRIER__0__PASSWORD_FILE=str(secret)).carrier[0].password == "s3cret"
    both = {"DTMF_CARRIER__0__PASSWORD": "hunter2", "DTMF_CARRIER__0__PASSWORD_FILE": str(secret)}
    assert "are both set" in refusal(without, **both)
    secret.write_text("canary\ncanary")
    assert "PASSWORD_FILE: carrier[0].password must" in refusal(without, DTMF_CARRIER__0__PASSWORD_FILE=str(secret))


def test_no_repr_shows_a_secret(loaded):
    config = loaded(CHAIN + LONDON + "[database]\nurl = 'postgresql://u:canary@h/d'")
    for shown in (repr(config), str(config), f"{config.carrier}", repr(config.bitcoin.__rich_repr__())):
        assert "canary" not in shown
        assert "hunter2" not in shown
    assert "password=…" in repr(config)
    assert "descriptor=None" in repr(Config())


def test_a_configuration_cannot_be_changed():
    with pytest.raises(AttributeError):
        Config().mode = "production"


@pytest.mark.parametrize("root", [Config, *map(settings_class, names())])
def test_every_setting_describes_its_valid_values(root):
    for path in known(root, ()):
        kind = type_at(root, path)
        assert get_origin(kind) is Annotated, f"{path} can't come from the environment"
        assert len(description(kind)) > 4, path
        assert get_args(kind), path


@given(st.data())
def test_the_line_of_a_key_is_found_between_statements_of_any_length(data):
    fillers = ["# server = 1", "", 'note = """\nserver = 3\n[server]\n"""', "list = [\n 1,\n\n 2,\n]", "t = {a = 1}"]
    before = data.draw(st.lists(st.sampled_from(fillers), unique=True))
    after = data.draw(st.sampled_from(["", "\n", "\n# end", "\nhost = '''\nport = 1\n'''"]))
    key = data.draw(st.sampled_from(["port = 1", "port = [\n1,\n2]", '"port" = """\n\n"""']))
    lead = "\n".join([*before, "[server]", ""])
    assert line_of(lead + key + after, ("server", "port")) == lead.count("\n") + 1


def test_a_secret_can_be_in_a_file_next_to_the_configuration(tmp_path: Path) -> None:
    path = tmp_path / "dtmf.toml"
    path.write_text(LONDON.replace('password = "hunter2"', 'password_file = "secrets/london"'))
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "london").write_text("s3cret\n")
    assert load(path, {}).carrier[0].password == "s3cret"
    assert load(path, {"DTMF_CARRIER__0__PASSWORD": "hunter2"}).carrier[0].password == "hunter2"


def test_a_secret_is_read_from_the_copy_that_systemd_passes_on(tmp_path: Path) -> None:
    path = tmp_path / "dtmf.toml"
    path.write_text(LONDON.replace('password = "hunter2"', 'password_file = "secrets/london"'))
    passed = {"CREDENTIALS_DIRECTORY": str(tmp_path / "credentials")}
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials" / "secrets_london").write_text("s3cret\n")
    assert load(path, passed).carrier[0].password == "s3cret", "the original can't be read, or is not there"
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "london").write_text("original\n")
    (tmp_path / "credentials" / "secrets_london").unlink()
    assert load(path, passed).carrier[0].password == "original"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('password_file = "nowhere"', "dtmf.toml:6: '{folder}nowhere': can't read this carrier[0].password_file file"),
        ('password_file = ""', "dtmf.toml:6: carrier[0].password_file must be the path of a file, not ''"),
        ("password_file = 1", "dtmf.toml:6: carrier[0].password_file must be the path of a file, not 1"),
        ('password = "x"\npassword_file = "y"', "dtmf.toml:7: carrier[0].password_file: password is set too"),
        ('password = "x"\nhost_file = "y"', "dtmf.toml:7: carrier[0].host_file is not a setting"),
    ],
)
def test_a_wrong_file_of_a_secret_is_refused_with_its_line(refusal, line: str, message: str) -> None:
    said = refusal(LONDON.replace('password = "hunter2"', line))
    assert message.replace("{folder}", "") in said, said


def test_alerts_need_a_secret_and_a_public_address(refusal, loaded):
    secret = f'secret = "whsec_{"A" * 32}"\n'
    url = 'webhook = "https://alerts.example.org/canary"\n'
    assert loaded(f"[alerts]\n{url}{secret}").alerts.webhook == "https://alerts.example.org/canary"
    assert refusal(f"[alerts]\n{url}").endswith("alerts needs both webhook and secret: the secret signs the alerts")
    assert "whsec_ and 24 to 64 bytes in base64" in refusal(f'[alerts]\n{url}secret = "whsec_hunter2"\n')
    local = '[alerts]\nwebhook = "http://127.0.0.1:9093/canary"\n'
    assert "to use an address of this machine, set allow_loopback" in refusal(local + secret)
    assert loaded(f"{local}{secret}allow_loopback = true\n").alerts.allow_loopback
    private = '[alerts]\nwebhook = "https://10.0.0.1/canary"\n'
    assert "10.0.0.1 is not a public address" in refusal(private + secret)
