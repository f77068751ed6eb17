/* SPDX-License-Identifier: Apache-2.0
 *
 * A matrix times a vector, y = W x, on this computer: float, hybrid and integer, dense and sparse in blocks of 8 outputs x 1 input;
 * and what a recurrent layer does with the products. One thread, no C library, no malloc. Python references define what each
 * function computes: tinycourse/host/products.py and tinycourse/host/layers.py.
 *
 * One layout serves all of them. W [rows, columns] is cut into panels of 8 rows. A panel is stored column by column, so the 8
 * weights that one input meets lie side by side and fill a vector register: the input is broadcast, and no sum runs across
 * lanes. A sparse panel leaves out the columns whose 8 weights are zero, and lists the others. That is all there is to
 * it: blocks of 8 outputs x 1 input skip work and keep the registers full.
 *
 * int8 weights come in groups of four columns, [group][row of the panel][column of the group], 32 bytes: a lane of 32 bits takes four
 * products. Missing columns and rows are filled up with zeros.
 */
#ifndef TINYCOURSE_MATVEC_H
#define TINYCOURSE_MATVEC_H

#include <stdint.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "these kernels read four bytes as one word, the first as the lowest"
#endif

enum { TN_PANEL = 8, TN_GROUP = 4 };

typedef struct {
    const void *weights;     /* float [groups][8], or int8_t [groups][8][4] */
    const int32_t *starts;   /* [panels + 1]: the groups of panel p are starts[p] to starts[p + 1] */
    const uint16_t *columns; /* [groups], or [groups][4]; NULL where every panel has all columns, in order */
    const int32_t *offsets;  /* int8 only: 128 * the sum of the weights of each row, [panels][8] */
    uint32_t *spread;        /* int8 only: scratch, [inputs + 1] */
    int32_t panels, inputs;  /* inputs: as x has them, filled up to whole groups for int8 */
} tn_matrix;

/* int32 sums to int16 outputs: clamp((sum + bias) * multiplier / 2^shift + zero_point), rounded once, half upward. Sums move
 * left by so many bits that every shift is at least 33: then all bits that stay are in the upper word of the product. */
typedef struct {
    const int32_t *bias, *multiplier, *right; /* [rows]; right = shift + left - 33, 0 to 29 */
    int32_t rows, left, zero_point, minimum, maximum;
} tn_rescale;

void tn_float(const tn_matrix *m, const float *x, float *y); /* x [columns], y [panels * 8] */
void tn_sums(const tn_matrix *m, const int8_t *x, int32_t *y); /* x is filled up to whole groups; weights are -127 to 127 */

/* x [count] becomes q = round(x / step), -127 to 127, ties to even; returns step = max |x| / 127 (1 where all x are 0). */
float tn_quantize(const float *x, int32_t count, int8_t *q);

/* Float in, float out, integers between: scale [panels * 8] is that of the weights; q [inputs, the last ones 0] and sums are scratch. */
void tn_hybrid(const tn_matrix *m, const float *scale, const float *x, int32_t count, int8_t *q, int32_t *sums, float *y);
void tn_integer(const tn_matrix *m, const tn_rescale *r, const int8_t *x, int32_t *sums, int16_t *y);

/* Two such products, each by its own factors, and their sum: the gates of a recurrent layer, of its input and of its last output. */
void tn_integer_pair(const tn_matrix *m, const tn_rescale *r, const int8_t *x, int32_t *sums, const tn_matrix *more,
                     const tn_rescale *rescale_more, const int8_t *h, int32_t *sums_more, int16_t *y);

/* Recurrent layers in float, frame by frame, in the order of tinycourse/models/cells.py. z [gates][units] is what the gates are before
 * sigmoid and tanh: z = x + h + bias, h and bias may be NULL. c [units] is changed, limit is its bound; h [units] is the output. */
void tn_gates(const float *x, const float *h, int32_t count, const float *bias, float *z);
void tn_layer_norm(int32_t gates, int32_t units, float epsilon, const float *scale, const float *bias, float *z);
void tn_lstm(const float *z, int32_t units, float limit, float *c, float *h);
void tn_cifg(const float *z, int32_t units, float limit, float *c, float *h);
void tn_sru(const float *z, int32_t units, float limit, float *c, float *h);

#endif
