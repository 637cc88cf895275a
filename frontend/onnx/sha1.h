/* sha1.h: the Secure Hash Algorithm of FIPS 180-4, section 6.1: what ONNX names as the checksum of external data. Good
 * against damage, not against an adversary. */
#ifndef PCC_FRONTEND_SHA1_H
#define PCC_FRONTEND_SHA1_H

#include <stddef.h>
#include <stdint.h>

enum { SHA1_HEX_BYTES = 41 }; /* 40 digits and the NUL */

/* The digest of the bytes in lower-case hexadecimal. */
void sha1_hex(const void *bytes, size_t size, char hex[SHA1_HEX_BYTES]);

#endif
