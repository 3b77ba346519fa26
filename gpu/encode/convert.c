#include "convert.h"

// rows converts columns from x on of two rows. Plain C: the compiler vectorises it
// for what every processor of the architecture has (SSE2, NEON).
static inline void rows(const uint8_t *restrict top, const uint8_t *restrict low,
                        int x, int width, uint8_t *restrict y0, uint8_t *restrict y1,
                        uint8_t *restrict cb, uint8_t *restrict cr) {
  for (int i = x; i < width; i++)
    y0[i] = (uint8_t)(((66 * top[4 * i] + 129 * top[4 * i + 1] + 25 * top[4 * i + 2] + 128) >> 8) + 16);
  for (int i = x; i < width; i++)
    y1[i] = (uint8_t)(((66 * low[4 * i] + 129 * low[4 * i + 1] + 25 * low[4 * i + 2] + 128) >> 8) + 16);
  for (int i = x / 2; i < width / 2; i++) {
    int r = (top[8 * i] + top[8 * i + 4] + low[8 * i] + low[8 * i + 4] + 2) >> 2;
    int g = (top[8 * i + 1] + top[8 * i + 5] + low[8 * i + 1] + low[8 * i + 5] + 2) >> 2;
    int b = (top[8 * i + 2] + top[8 * i + 6] + low[8 * i + 2] + low[8 * i + 6] + 2) >> 2;
    cb[i] = (uint8_t)(((-38 * r - 74 * g + 112 * b + 128) >> 8) + 128);
    cr[i] = (uint8_t)(((112 * r - 94 * g - 18 * b + 128) >> 8) + 128);
  }
}

void fm_rgba_to_i420_plain(const uint8_t *rgba, int stride, int width, int height,
                           uint8_t *y, uint8_t *cb, uint8_t *cr) {
  for (int r = 0; r < height; r += 2) {
    const uint8_t *top = rgba + (long)r * stride;
    uint8_t *yr = y + (long)r * width;
    long c = (long)(r / 2) * (width / 2);
    rows(top, top + stride, 0, width, yr, yr + width, cb + c, cr + c);
  }
}

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2")))

// luma8 gives 16 + Y of the 8 pixels in v as 32-bit lanes. The byte product wants
// signed factors and 129 is none, so green is taken twice, 55 + 74 times.
AVX2 static inline __m256i luma8(__m256i v) {
  const __m256i rggb = _mm256_setr_epi8(0, 1, 1, 2, 4, 5, 5, 6, 8, 9, 9, 10, 12, 13, 13, 14,
                                        0, 1, 1, 2, 4, 5, 5, 6, 8, 9, 9, 10, 12, 13, 13, 14);
  const __m256i factors = _mm256_set1_epi32(66 | 55 << 8 | 74 << 16 | 25 << 24);
  __m256i s = _mm256_maddubs_epi16(_mm256_shuffle_epi8(v, rggb), factors);
  s = _mm256_madd_epi16(s, _mm256_set1_epi16(1));
  s = _mm256_srli_epi32(_mm256_add_epi32(s, _mm256_set1_epi32(128)), 8);
  return _mm256_add_epi32(s, _mm256_set1_epi32(16));
}

// luma32 gives Y of 32 pixels as bytes in their order.
AVX2 static inline __m256i luma32(__m256i a, __m256i b, __m256i c, __m256i d) {
  __m256i ab = _mm256_packus_epi32(luma8(a), luma8(b));
  __m256i cd = _mm256_packus_epi32(luma8(c), luma8(d));
  // The packs work within 128-bit halves: put the 4-pixel groups back in order.
  return _mm256_permutevar8x32_epi32(_mm256_packus_epi16(ab, cd), _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}

// mean4 gives the rounded means of R, G, B, A of the four 2×2 blocks in two rows of
// 8 pixels, as 16-bit lanes.
AVX2 static inline __m256i mean4(__m256i top, __m256i low) {
  const __m256i pairs = _mm256_setr_epi8(0, 4, 1, 5, 2, 6, 3, 7, 8, 12, 9, 13, 10, 14, 11, 15,
                                         0, 4, 1, 5, 2, 6, 3, 7, 8, 12, 9, 13, 10, 14, 11, 15);
  const __m256i ones = _mm256_set1_epi8(1);
  __m256i s = _mm256_add_epi16(_mm256_maddubs_epi16(_mm256_shuffle_epi8(top, pairs), ones),
                               _mm256_maddubs_epi16(_mm256_shuffle_epi8(low, pairs), ones));
  return _mm256_srli_epi16(_mm256_add_epi16(s, _mm256_set1_epi16(2)), 2);
}

// chroma8 gives one chroma value of eight blocks as 32-bit lanes.
AVX2 static inline __m256i chroma8(__m256i m0, __m256i m1, __m256i factors) {
  __m256i s = _mm256_hadd_epi32(_mm256_madd_epi16(m0, factors), _mm256_madd_epi16(m1, factors));
  s = _mm256_srai_epi32(_mm256_add_epi32(s, _mm256_set1_epi32(128)), 8);
  return _mm256_add_epi32(s, _mm256_set1_epi32(128));
}

// chroma16 gives one chroma value of sixteen blocks as bytes in their order.
AVX2 static inline __m128i chroma16(const __m256i m[4], __m256i factors) {
  // Lanes of chroma8(m0, m1): blocks 0 1 of m0, 0 1 of m1 | 2 3 of m0, 2 3 of m1.
  __m256i s = _mm256_packs_epi32(chroma8(m[0], m[1], factors), chroma8(m[2], m[3], factors));
  s = _mm256_packus_epi16(s, s);
  // In each half: two bytes of m0, m1, m2, m3. Weave the halves by pairs.
  return _mm_unpacklo_epi16(_mm256_castsi256_si128(s), _mm256_extracti128_si256(s, 1));
}

AVX2 static void avx2(const uint8_t *rgba, int stride, int width, int height,
                      uint8_t *y, uint8_t *cb, uint8_t *cr) {
  const __m256i fb = _mm256_setr_epi16(-38, -74, 112, 0, -38, -74, 112, 0, -38, -74, 112, 0, -38, -74, 112, 0);
  const __m256i fr = _mm256_setr_epi16(112, -94, -18, 0, 112, -94, -18, 0, 112, -94, -18, 0, 112, -94, -18, 0);
  for (int r = 0; r < height; r += 2) {
    const uint8_t *top = rgba + (long)r * stride, *low = top + stride;
    uint8_t *y0 = y + (long)r * width, *y1 = y0 + width;
    uint8_t *cbr = cb + (long)(r / 2) * (width / 2), *crr = cr + (long)(r / 2) * (width / 2);
    int x = 0;
    for (; x + 32 <= width; x += 32) {
      __m256i a[4], b[4], m[4];
      for (int k = 0; k < 4; k++) {
        a[k] = _mm256_loadu_si256((const __m256i *)(top + 4 * x + 32 * k));
        b[k] = _mm256_loadu_si256((const __m256i *)(low + 4 * x + 32 * k));
        m[k] = mean4(a[k], b[k]);
      }
      _mm256_storeu_si256((__m256i *)(y0 + x), luma32(a[0], a[1], a[2], a[3]));
      _mm256_storeu_si256((__m256i *)(y1 + x), luma32(b[0], b[1], b[2], b[3]));
      _mm_storeu_si128((__m128i *)(cbr + x / 2), chroma16(m, fb));
      _mm_storeu_si128((__m128i *)(crr + x / 2), chroma16(m, fr));
    }
    rows(top, low, x, width, y0, y1, cbr, crr);
  }
}

void fm_rgba_to_i420(const uint8_t *rgba, int stride, int width, int height,
                     uint8_t *y, uint8_t *cb, uint8_t *cr) {
  if (__builtin_cpu_supports("avx2"))
    avx2(rgba, stride, width, height, y, cb, cr);
  else
    fm_rgba_to_i420_plain(rgba, stride, width, height, y, cb, cr);
}
#else
void fm_rgba_to_i420(const uint8_t *rgba, int stride, int width, int height,
                     uint8_t *y, uint8_t *cb, uint8_t *cr) {
  fm_rgba_to_i420_plain(rgba, stride, width, height, y, cb, cr);
}
#endif
