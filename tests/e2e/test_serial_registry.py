"""A registry that serves one connection at a time, as small programs around http.server do. Two fetch workers meet it: neither may hold an
idle connection for ever while the other waits."""
import http.server
import threading

import pytest

from image import Image, policy, sha256, tar


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        kind, name = self.path.split("/")[-2:]
        image = self.server.image
        if kind == "manifests" and image.tags.get(name, name) in image.manifests:
            digest = image.tags.get(name, name)
            media_type, body = image.manifests[digest]
        elif kind == "blobs" and name in image.blobs:
            digest, media_type, body = name, "application/octet-stream", image.blobs[name]
        else:
            digest, media_type, body = None, "application/json", b'{"errors":[]}'
        self.send_response(200 if digest else 404)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.mark.parametrize("version", ["HTTP/1.0", "HTTP/1.1"])
def test_pull(plinth, keys, version):
    image = Image(layers=[tar([(f"file{i}", b"x" * 100_000)]) for i in range(3)]).sign(keys["builder"])
    server = http.server.HTTPServer(("127.0.0.1", 0), type("Serial", (Handler,), {"protocol_version": version}))
    server.image = image
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        name = f"127.0.0.1:{server.server_address[1]}/app:v"
        r = plinth.pull(policy(keys["builder"], registry={"allowHttp": True}, limits={"seconds": 40}), "docker://" + name)
        assert r.status == 0 and r.json["verdict"] == "accepted", r.err
        assert r.json["manifest"] == image.digest and [layer["digest"] for layer in r.json["layers"]] == \
            [sha256(image.blobs[layer["digest"]]) for layer in image.layers]
    finally:
        server.shutdown()
        server.server_close()
