"""Events of buckets, posted to a webhook that fails now and then, over a restart by `kill -9`."""

import http.server
import json
import threading

import pytest

from support import REGION, refused, wait_for

LOCATION = {"CreateBucketConfiguration": {"LocationConstraint": REGION}}


class Receiver:
    """Takes POSTs on a port of its own; refuses as many as it is told to."""

    def __init__(self):
        self.taken, self.refuse = [], 0
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if receiver.refuse > 0:
                    receiver.refuse -= 1
                    self.send_response(503)
                else:
                    receiver.taken.append(json.loads(body))
                    self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def receiver():
    made = Receiver()
    yield made
    made.close()


def test_what_is_asked_for(own_server, receiver):
    own_server.start()
    account = own_server.new_account()
    s3, name = account.client("s3"), f"n-{account.id}"
    s3.create_bucket(Bucket=name, **LOCATION)
    assert "EventBridgeConfiguration" not in s3.get_bucket_notification_configuration(Bucket=name)
    for kind, arn in (("Queue", "sqs"), ("Topic", "sns"), ("LambdaFunction", "lambda")):
        target = {f"{kind}Arn": f"arn:aws:{arn}:{REGION}:{account.id}:x", "Events": ["s3:ObjectCreated:*"]}
        with refused("InvalidArgument", "not implemented by Stoa"):
            s3.put_bucket_notification_configuration(
                Bucket=name, NotificationConfiguration={f"{kind}Configurations": [target]})
    s3.put_bucket_notification_configuration(
        Bucket=name, NotificationConfiguration={"EventBridgeConfiguration": {}})
    assert s3.get_bucket_notification_configuration(Bucket=name)["EventBridgeConfiguration"] == {}


def test_events_reach_a_webhook_in_order(own_server, receiver):
    file = own_server.home / "stoa.toml"
    file.write_text(f'[events]\nwebhooks = ["{receiver.url}"]\n')
    own_server.arguments += ["--config", str(file)]
    receiver.refuse = 2
    own_server.start()
    account = own_server.new_account()
    s3, name = account.client("s3"), f"n-{account.id}"
    s3.create_bucket(Bucket=name, **LOCATION)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket=name, Key="silent", Body=b"x")
    s3.put_bucket_notification_configuration(
        Bucket=name, NotificationConfiguration={"EventBridgeConfiguration": {}})
    made = s3.put_object(Bucket=name, Key="k 1", Body=b"hello")
    s3.copy_object(Bucket=name, Key="copy", CopySource={"Bucket": name, "Key": "k 1"})
    s3.put_object_tagging(Bucket=name, Key="k 1", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    marker = s3.delete_object(Bucket=name, Key="k 1")["VersionId"]
    s3.delete_object(Bucket=name, Key="k 1", VersionId=marker)
    # Those that are not posted yet are so after the next start.
    own_server.kill()
    own_server.start()

    def events():
        first = {}
        for event in receiver.taken:
            first.setdefault(event["id"], event)
        return list(first.values()) if len(first) == 5 else None

    taken = wait_for("all events", events)
    told = [(one["detail-type"], one["detail"].get("reason"), one["detail"].get("deletion-type")) for one in taken]
    assert told == [
        ("Object Created", "PutObject", None), ("Object Created", "CopyObject", None),
        ("Object Tags Added", None, None), ("Object Deleted", "DeleteObject", "Delete Marker Created"),
        ("Object Deleted", "DeleteObject", "Permanently Deleted")]
    first = taken[0]
    assert (first["source"], first["account"], first["region"]) == ("aws.s3", account.id, REGION)
    assert first["resources"] == [f"arn:aws:s3:::{name}"]
    wanted = {"key": "k 1", "size": 5, "etag": made["ETag"].strip('"'), "version-id": made["VersionId"]}
    assert {key: first["detail"]["object"][key] for key in wanted} == wanted
    assert first["detail"]["requester"] == account.id and first["detail"]["bucket"] == {"name": name}
    assert taken[3]["detail"]["object"]["version-id"] == marker
