#pragma once
#include <stdint.h>

// RGBA to I420, BT.601 limited range; the formulas are at Picture.Convert. Width
// and height are even, planes have no padding.
void fm_rgba_to_i420(const uint8_t *rgba, int stride, int width, int height,
                     uint8_t *y, uint8_t *cb, uint8_t *cr);
void fm_rgba_to_i420_plain(const uint8_t *rgba, int stride, int width, int height,
                           uint8_t *y, uint8_t *cb, uint8_t *cr);
