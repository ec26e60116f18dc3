/* pe: the parts of a PE32+ image that measuring and making one need (Microsoft PE Format, COFF and optional header,
 * section table), and its Authenticode digest (Windows Authenticode Portable Executable Signature Format, "Calculating
 * the PE Image Hash"), the way EDK2 computes it before it extends PCR 4: without padding the file to eight bytes. */
#ifndef PLINTH_TOOLS_MEASURE_PE_H
#define PLINTH_TOOLS_MEASURE_PE_H

#include "base/err.h"
#include "base/view.h"
#include "crypto/hash.h"

#define PE_SECTIONS_MAX 96u /* the format's own limit for images */
#define PE_SECTION_HEADER 40u

struct pe_section {
    char name[9];
    uint32_t memory_size, address; /* VirtualSize, VirtualAddress */
    uint32_t raw_size, raw_at;     /* SizeOfRawData, PointerToRawData */
};

/* All offsets are into the file, and inside it. */
struct pe {
    struct view file;
    size_t coff_at, optional_at, table_at; /* COFF header, optional header, section table */
    size_t headers_size;                   /* SizeOfHeaders */
    uint32_t section_alignment, file_alignment, image_size;
    size_t security_at;     /* of the directory entry; 0: the image has none */
    uint32_t security_size; /* of the attribute certificates at the end of the file */
    size_t section_count;
    struct pe_section sections[PE_SECTIONS_MAX];
};

/* ERR_FORMAT: no MZ, PE or PE32+ magic; a header, section or certificate table that is not inside the file; more than
 * 96 sections; an alignment that is no power of two. Views point into `file`. */
bool pe_read(struct view file, struct pe *out, struct err *e);
/* hash_size(alg) bytes. ERR_FORMAT when sections overlap so far that more is hashed than the file holds (EDK2 refuses
 * those). */
bool pe_authenticode(const struct pe *pe, enum hash_alg alg, uint8_t *out, struct err *e);
/* What is in memory at a section: its raw bytes, at most VirtualSize of them (the rest, if any, is `*zeros` bytes of
 * zero). False when there is no such section or VirtualSize is zero. The first of its name counts. */
bool pe_section(const struct pe *pe, const char *name, struct view *out, size_t *zeros);

#endif
