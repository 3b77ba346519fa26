//go:build cgo && ((linux && (amd64 || arm64)) || (darwin && (amd64 || arm64)) || (windows && amd64))

#include "openh264.h"

#include <stdlib.h>
#include <string.h>

// OpenH264's ABI (wels/codec_api.h and codec_app_def.h), the same from 1.x to 2.6.

typedef struct {
  unsigned int size;
  int stream_type; // 0 = AVC
} video_property;

typedef struct {
  char *reconstructed;
  unsigned int cpu_load;
  unsigned char target_layer;
  int error_concealment; // 0 = none
  _Bool parse_only;
  video_property video;
} decoding_param;

typedef struct {
  int status; // 1 = there is a picture
  unsigned long long in_time, out_time;
  int width, height, format, stride[2];
  unsigned char *dst[3];
  unsigned char reserve[64]; // later versions may add at the end
} buffer_info;

typedef struct vtbl vtbl;
typedef const vtbl *decoder;

struct vtbl {
  long (*initialize)(decoder *, const decoding_param *);
  long (*uninitialize)(decoder *);
  int (*decode_frame)(decoder *, const unsigned char *, int, unsigned char **, int *, int *, int *);
  int (*decode_frame_no_delay)(decoder *, const unsigned char *, int, unsigned char **, buffer_info *);
  int (*decode_frame2)(decoder *, const unsigned char *, int, unsigned char **, buffer_info *);
  int (*flush_frame)(decoder *, unsigned char **, buffer_info *);
  int (*decode_parser)(decoder *, const unsigned char *, int, void *);
  int (*decode_frame_ex)(decoder *, const unsigned char *, int, unsigned char *, int, int *, int *, int *, int *);
  long (*set_option)(decoder *, int, void *);
  long (*get_option)(decoder *, int, void *);
};

long WelsCreateDecoder(decoder **out);
void WelsDestroyDecoder(decoder *d);

enum { option_trace_level = 9 };

struct fm_decoder {
  decoder *d;
};

fm_decoder *fm_decoder_open(void) {
  fm_decoder *f = calloc(1, sizeof *f);
  if (f == NULL)
    return NULL;
  if (WelsCreateDecoder(&f->d) != 0 || f->d == NULL) {
    free(f);
    return NULL;
  }
  int quiet = 0;
  (*f->d)->set_option(f->d, option_trace_level, &quiet);
  decoding_param p;
  memset(&p, 0, sizeof p);
  p.target_layer = 255;
  p.video.size = sizeof p.video;
  if ((*f->d)->initialize(f->d, &p) != 0) {
    WelsDestroyDecoder(f->d);
    free(f);
    return NULL;
  }
  return f;
}

int fm_decoder_decode(fm_decoder *f, const unsigned char *au, int size, fm_plane *out) {
  unsigned char *planes[3] = {NULL, NULL, NULL};
  buffer_info info;
  memset(&info, 0, sizeof info);
  memset(out, 0, sizeof *out);
  int state = (*f->d)->decode_frame_no_delay(f->d, au, size, planes, &info);
  if (info.status == 1 && planes[0] != NULL) {
    out->y = planes[0];
    out->width = info.width;
    out->height = info.height;
    out->stride = info.stride[0];
  }
  return state;
}

void fm_decoder_close(fm_decoder *f) {
  (*f->d)->uninitialize(f->d);
  WelsDestroyDecoder(f->d);
  free(f);
}
