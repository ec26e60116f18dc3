// The tests of worker/decompress, over zlib (`make INFLATE=zlib`).
#define GUNZIP "worker/gunzip_zlib.c"
#include "test_decompress.c"
