FROM localhost/base
HEALTHCHECK --interval=5m --timeout=3s --start-period=1s --retries=4 CMD test -e /data || exit 1
