#!/usr/bin/python3
# What lego's provider acme-dns does with its storage file, as a program for its
# provider exec: `present FQDN VALUE`. Nothing is ever cleaned up.
import json, os, ssl, sys, urllib.request

action, fqdn, value = sys.argv[1:4]
if action == "present":
    domain = fqdn.removeprefix("_acme-challenge.").rstrip(".")
    account = json.load(open(os.environ["ACME_DNS_STORAGE_PATH"]))[domain]
    update = {"SubDomain": account["subdomain"], "Txt": value}
    urllib.request.urlopen(
        urllib.request.Request(
            os.environ["ACME_DNS_API_BASE"] + "/update",
            json.dumps(update).encode(),
            {"X-Api-User": account["username"], "X-Api-Key": account["password"]},
        ),
        context=ssl.create_default_context(cafile=os.environ["LEGO_CA_CERTIFICATES"]),
    )
