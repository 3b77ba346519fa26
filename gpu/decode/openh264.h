// The part of OpenH264's C interface that a decoder needs, declared here because the module
// whose library is linked does not hand its headers on.
#pragma once

typedef struct fm_decoder fm_decoder;

typedef struct {
  const unsigned char *y; // NULL without a picture; valid until the next call
  int width, height, stride;
} fm_plane;

fm_decoder *fm_decoder_open(void);
// Returns OpenH264's state, 0 when all is well.
int fm_decoder_decode(fm_decoder *d, const unsigned char *au, int size, fm_plane *out);
void fm_decoder_close(fm_decoder *d);
