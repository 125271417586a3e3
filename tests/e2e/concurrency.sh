#!/bin/sh
# 200 clients set and remove values at the same and at different names of one
# zone of BIND's at once: at the end exactly those are there that should be.
. "${0%/*}/lib.sh"
need named dig

start_bind
start_gateway gateway <<END
$(bind_account)
SSL = off
ALLOWED_PROXIES = 127.0.0.1
ALLOWED_HOSTS = 10.0.0.0/8
END

# Each client sets two values at one of ten names, removes the first, and comes
# again when it is told to: after a moment that grows, not after Retry-After.
cat >"$T/clients.py" <<'END'
import http.client, json, sys, threading, time

address = sys.argv[1].removeprefix("http://")
waited = []

def ask(client, argument, value):
    body = json.dumps({"argument": argument, "domain_name": f"n{client % 10}.example.test",
                       "challenge_content": f"{value:043}"})
    pause, end = 0.1, time.monotonic() + 120
    while time.monotonic() < end:
        try:
            connection = http.client.HTTPConnection(address, timeout=60)
            connection.request("POST", "/", body, {"X-Forwarded-For": f"10.0.0.{client}"})
            answer = connection.getresponse()
            if answer.status in (200, 201):
                return
            if answer.status != 503:
                raise SystemExit(f"{argument}: {answer.status} {answer.read()}")
        except OSError:
            pass
        waited.append(client)
        time.sleep(pause + client / 2000)
        pause = min(2 * pause, 1.6)
    raise SystemExit(f"{argument}: no success in two minutes")

def work(client):
    ask(client, "setup", client)
    ask(client, "setup", client + 1000)
    ask(client, "teardown", client)
    done.append(client)

done, began = [], time.monotonic()
threads = [threading.Thread(target=work, args=(client,)) for client in range(200)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(f"600 changes in {time.monotonic() - began:.1f} s, {len(waited)} times told to wait")
sys.exit(len(done) != 200)
END
python3 "$T/clients.py" "$gw" || fail "not every client came to its end"

for name in 0 1 2 3 4 5 6 7 8 9; do
	client=$name
	while [ "$client" -lt 200 ]; do
		printf '"%043d"\n' $((client + 1000))
		client=$((client + 10))
	done | sort >"$T/expected"
	txt "$dns_port" "n$name.example.test" | sort >"$T/found"
	diff "$T/expected" "$T/found" || fail "at n$name.example.test there is something else"
done
