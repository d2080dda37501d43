"""The variables with which an environment names its proxies: a hospital's names one that leads outside."""

NAMES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
VARIABLES = (*NAMES, *map(str.upper, NAMES))

#: Whatever asks this proxy is refused: nobody listens on the port `discard`.
DEAD_PROXY = dict.fromkeys((name for name in VARIABLES if name.lower() != "no_proxy"), "http://127.0.0.1:9")
