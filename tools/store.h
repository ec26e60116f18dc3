/* store: blobs that were pulled before, for `plinth pull --store`: DIR/blobs/sha256/<hex>, as in an OCI image layout.
 *
 * A fetch worker of the host tool that stands before the one which speaks to the registry: it passes requests and
 * answers on, keeps a copy of the blobs that go by, and answers by itself when it has one. It sees the store
 * (WORKER_ROOM) and no network; the other sees the network and no store. Nothing in the store is trusted: a blob gets
 * its name when its bytes had the digest, it is hashed again before it is handed out (a damaged one is removed, with a
 * note, and fetched anew), and the monitor hashes what it gets as always. Whatever fails here costs a download, never
 * the pull. Several pulls may share a store. */
#ifndef PLINTH_TOOLS_STORE_H
#define PLINTH_TOOLS_STORE_H

#define WORKER_STORE "plinth:store"

int store_main(void);

#endif
