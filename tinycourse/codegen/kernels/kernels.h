/* SPDX-License-Identifier: Apache-2.0
 *
 * The integer kernels of tinycourse: one function for each kind of operation of a Program.
 * C99, freestanding, no float, no malloc, no global state. What they compute is defined bit for bit by the Python
 * interpreter in tinycourse/program/program.py.
 *
 * Activations  int8, asymmetric, one scale and zero point for a tensor: real = scale * (number - zero_point).
 *              Maps are stored channels last, [height][width][channels].
 * Weights      int8, symmetric (zero point 0), one scale for each output channel.
 * Sums         int32. The exporter refuses a network whose sums could overflow, so no kernel has to check.
 *
 * Rounding, once: see fixed_point.h.
 *
 * Zero points. The sum wanted is bias + sum (x - zero_point) * w. For dense products and conv the exporter folds what does not
 * depend on x into the bias, so that the kernels add plain products x * w. For scale and add it folds in the half for
 * rounding too; what is left to do is to shift.
 */
#ifndef TINYCOURSE_KERNELS_H
#define TINYCOURSE_KERNELS_H

#include "fixed_point.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Each layer of a generated model stays a function of its own, so that a profiler can tell them apart; TC_INLINE
 * marks a function that is written once and compiled for each of several constants, TC_SHARED one that not every file needs. */
#if defined(__GNUC__)
#define TC_ALONE __attribute__((noinline))
#define TC_SHARED static __attribute__((unused))
#define TC_INLINE static inline __attribute__((always_inline))
#else
#define TC_ALONE
#define TC_SHARED static
#define TC_INLINE static inline
#endif
#define TC_LAYER static TC_ALONE void

/* 1 on processors with vector registers, none of which is in a microcontroller: some loops take TC_LANES outputs at a time there. */
#if defined(__SSE2__) || defined(__ARM_NEON)
#define TC_WIDE 1
#else
#define TC_WIDE 0
#endif
#define TC_LANES 8

/* 1: kernels made of the DSP instructions of a Cortex-M4 take the place of some plain ones, which end in _plain then. The exporter sets
 * this line, as they need more scratch. They give the same bits, on other processors too, but are slow there. */
#ifndef TC_DSP
#define TC_DSP 0
#endif
#if TC_DSP
#define TC_PLAIN(name) name##_plain
#else
#define TC_PLAIN(name) name
#endif

/* ----------------------------------------------------------------------------------------------------------- bytes */

/* Both return where the next byte goes. */
static inline int8_t *tc_copy(const int8_t *source, int32_t count, int8_t *output)
{
#if defined(__ARM_FEATURE_UNALIGNED) /* four bytes at a time, wherever they lie */
    for (; count >= 4; count -= 4, source += 4, output += 4)
        __builtin_memcpy(output, source, 4);
#endif
    while (count-- > 0)
        *output++ = *source++;
    return output;
}

static inline int8_t *tc_fill(int32_t value, int32_t count, int8_t *output)
{
    while (count-- > 0)
        *output++ = (int8_t)value;
    return output;
}

/* ------------------------------------------------------------------------------------------------------- parameters */

typedef struct {
    int32_t height, width, channels;
} tc_shape;

/* The output of a kernel: its zero point, and the range left by int8 and a fused ReLU. */
typedef struct {
    int32_t zero_point, minimum, maximum;
} tc_activation;

/* A window sliding over a map. Padding is given at the top and left; what hangs over bottom and right follows. */
typedef struct {
    tc_shape input, output;
    int32_t kernel_height, kernel_width;
    int32_t stride_height, stride_width;
    int32_t padding_top, padding_left;
    int32_t dilation_height, dilation_width;
    int32_t input_zero_point;
} tc_window;

/* The taps [first, last) of a window that lie inside the map, along one axis; `start` is where the first tap falls. */
typedef struct {
    int32_t first, last;
} tc_range;

static inline tc_range tc_inside(int32_t start, int32_t taps, int32_t dilation, int32_t size)
{
    tc_range range = {0, taps};
    while (range.first < taps && start + range.first * dilation < 0)
        range.first++;
    while (range.last > range.first && start + (range.last - 1) * dilation >= size)
        range.last--;
    return range;
}

/* Products with constant weights, each output requantized by its own factor. */
typedef struct {
    int32_t inputs, outputs;
    const int8_t *weight;      /* [outputs][inputs] */
    const int32_t *bias;       /* [outputs], the input's zero point folded in (not for depthwise) */
    const int32_t *multiplier; /* [outputs] */
    const int8_t *shift;       /* [outputs] */
    tc_activation activation;
} tc_dense_params;

/* From sum to int8. */
static inline int8_t tc_dense_output(const tc_dense_params *p, int32_t o, int32_t sum)
{
    const int32_t y = tc_requantize(sum, p->multiplier[o], p->shift[o]) + p->activation.zero_point;
    return tc_clamp(y, p->activation.minimum, p->activation.maximum);
}

#if TC_WIDE
/* The same of TC_LANES sums, without a branch: the compiler makes vectors of them. */
TC_INLINE void tc_wide_output(const tc_dense_params *p, int32_t o, const int32_t *sum, int8_t *output)
{
    const tc_activation a = p->activation;
    const int64_t limit = INT64_C(1) << 30;
    int8_t y[TC_LANES];

    for (int32_t i = 0; i < TC_LANES; i++) {
        const int32_t shift = p->shift[o + i];
        const int64_t value = ((int64_t)sum[i] * p->multiplier[o + i] + (INT64_C(1) << (shift - 1))) >> shift;
        const int32_t near = (int32_t)(value > limit ? limit : value < -limit ? -limit : value);
        y[i] = tc_clamp(near + a.zero_point, a.minimum, a.maximum);
    }
    for (int32_t i = 0; i < TC_LANES; i++)
        output[o + i] = y[i];
}
#endif

typedef struct {
    int32_t rows; /* 1, or the positions of a map: a pointwise convolution */
    tc_dense_params dense;
} tc_linear_params;

typedef struct {
    tc_window window;
    int32_t groups, group_inputs, group_outputs; /* channels of one group */
    tc_dense_params dense;                       /* inputs = kernel_height * kernel_width * group_inputs */
} tc_conv_params;

typedef struct {
    tc_window window;
    int32_t channel_multiplier; /* outputs for each input channel */
    tc_dense_params dense;      /* weight [kernel_height * kernel_width][outputs]: channels last, as the map */
} tc_depthwise_params;

typedef struct {
    tc_shape shape;
    int32_t bands;                   /* along the width; a map has equal bands along height and width, */
    int32_t band_height, band_width; /* so many positions in each, with constants of their own */
    const int16_t *multiplier;       /* [bands][channels] */
    const int32_t *bias;             /* [bands][channels], in units of 2^-shift; zero point and the half for rounding folded in */
    const int8_t *shift;             /* [channels] */
    tc_activation activation;
} tc_scale_params;

/* Elements to step along (height, width, channels); 0 along an axis that is broadcast. */
typedef struct {
    int32_t height, width, channels;
} tc_stride;

typedef struct {
    tc_shape output;
    tc_stride stride_a, stride_b;
    const int16_t *multiplier_a, *multiplier_b; /* [channels] */
    const int32_t *bias;                        /* [channels], as for scale */
    const int8_t *shift;                        /* [channels] */
    tc_activation activation;
} tc_add_params;

typedef struct {
    tc_shape output;
    tc_stride stride_a, stride_b;
    int32_t zero_point_a, zero_point_b;
    int32_t multiplier, shift;
    tc_activation activation;
} tc_multiply_params;

typedef struct {
    tc_window window;
    int32_t multiplier, shift; /* average only: 1 / (kernel_height * kernel_width) is in the factor */
    tc_activation activation;
} tc_pool_params;

typedef struct {
    tc_shape input, output;
    int32_t factor_height, factor_width;
} tc_upsample_params;

typedef struct {
    tc_shape input, output;
    tc_shape start; /* where the smaller box begins in the larger */
    int32_t zero_point;
} tc_box_params;

typedef struct {
    tc_shape input, output;
    int32_t zero_point;
    int32_t runs;
    const int16_t *run; /* [runs][4]: first channel, how many, and the offset along height and width where they are read */
} tc_shift_params;

typedef struct {
    int32_t count;
    const int8_t *table; /* [256], indexed by the input + 128 */
} tc_lookup_params;

/* Recurrent networks. What has int16 has no zero point. */
typedef struct {
    int32_t rows, width;
    const int8_t *table; /* [rows][width] */
} tc_embedding_params;

/* A matrix times one vector. A sparse one is stored without its empty 8x1 blocks: a block is the eight weights between one input and
 * outputs 8 r to 8 r + 7, the pairs of blocks of which are start[r] to start[r + 1]. Four times over, a pair has two weights of
 * its first block, then two of its second. */
typedef struct {
    int32_t inputs;
    const int8_t *weight;      /* [outputs][inputs], or of a sparse matrix [pairs][4][2][2] */
    const int32_t *bias;       /* [outputs], the input's zero point folded in */
    const int32_t *multiplier; /* [outputs] */
    const int8_t *shift;       /* [outputs] */
    const uint16_t *column;    /* [pairs][2]: the input of each block */
    const int32_t *start;      /* 0 where the matrix is dense */
} tc_product;

typedef struct {
    int32_t outputs;
    tc_product product;
    tc_activation activation;
} tc_sparse_linear_params;

typedef struct {
    int32_t outputs;
    tc_product input;
} tc_linear16_params;

typedef struct {
    int32_t outputs;
    tc_product input, recurrent;
} tc_linear16_pair_params;

typedef struct {
    int32_t gates, units;
    int64_t epsilon;           /* in units of (units * input)^2 */
    const int32_t *multiplier; /* [gates][units], as shift and bias */
    const int8_t *shift;
    const int32_t *bias;
} tc_layer_norm_params;

typedef struct {
    int32_t units;
    int32_t bits;  /* of the cell after the point; of SRU those of its gates too */
    int32_t limit; /* the cell stays between -limit and limit; not for SRU, which cannot grow */
} tc_cell_params;

typedef struct {
    int32_t gates, units;
    int32_t bits; /* as in tc_cell_params */
    int32_t multiplier, shift, zero_point;
} tc_cell_output_params;

typedef struct {
    int32_t count;
} tc_tanh8_params;

/* The front end: from samples to features. See program/frontend.py for what each step computes. */
typedef struct {
    int32_t samples, frames;          /* of a whole recording, which is what tc_features() is given */
    int32_t window_size, hop, lead;   /* in samples; the first frame begins `lead` before the recording */
    int32_t fft;                      /* a power of two */
    int32_t first, mels, bands;       /* the first bin that has a mel weight */
    int32_t floor;                    /* added to an energy before the logarithm */
    int32_t down;                     /* bits that the spectrum loses before it is squared */
    int32_t zero_point;
    const int16_t *window;            /* [window_size], Q15 */
    const int16_t *twiddle;           /* [fft / 2][2]: minus cosine and minus sine of 2 pi k / fft, Q15 */
    const int16_t *mel;               /* the weight of each bin in the upper of its two bands, Q12 */
    const int16_t *counts;            /* [mels + 1]: how many bins lie before, between and behind the peaks of the bands */
    const int16_t *dct;               /* [bands][mels], or no table where bands are mel bands */
    const int32_t *bias, *multiplier; /* [bands] */
    const int8_t *shift;              /* [bands] */
} tc_features_params;

/* The streaming front end: some samples at a time in, frames of features out. See program/streaming_frontend.py */
typedef struct {
    const tc_features_params *features;
    int32_t chunk;   /* samples that come at a time */
    int16_t *kept;   /* [chunk + window_size, or 2 * lead where that is more] samples */
    int8_t *scratch; /* of tc_frame() */
} tc_ears_params;

/* What the streaming front end remembers beside the samples; all 0 before the first of them. */
typedef struct {
    int32_t count, next; /* samples in `kept`, and where the next frame begins */
    int32_t begun;       /* whether the mirror image of the beginning is in `kept` */
} tc_ears;

/* A keyword spotter: chunks of samples in, words out. See program/keyword_spotter.py */
typedef struct {
    const tc_ears_params *ears;
    int32_t bands;            /* features of a frame */
    int32_t history, stride;  /* frames that the network judges, and that come between two of its runs */
    int32_t classes, windows; /* posteriors are averaged over so many runs */
    int32_t refractory;       /* runs between two detections */
    int32_t threshold;        /* of the mean posterior, 14 bits after the point */
    const int16_t *exponential;             /* [256]: exp(-i * scale of the scores), 14 bits after the point */
    const int8_t *keywords;                 /* [classes]: whether a class may fire */
    int8_t *ring;                           /* [history][bands]: frame i is in row i modulo history */
    int16_t *recent;                        /* [windows][classes] posteriors, a ring as well */
    int16_t *mean;                          /* [classes]: of those posteriors, after the newest run */
    int8_t *(*input)(void);                 /* the network */
    const int8_t *(*output)(void);
    void (*run)(void);
} tc_listener_params;

/* What a keyword spotter remembers beside its buffers; all 0 before the first chunk. */
typedef struct {
    tc_ears ears;
    int32_t row, run_row;  /* where the next frame and the next posteriors go */
    int32_t frames, runs;  /* so far, up to what fills their buffers */
    int32_t wait;          /* frames until the next run */
    int32_t deaf;          /* runs that may not fire */
    int16_t found[2];      /* by the last chunk: a class or -1, and its score */
} tc_listener;

/* ---------------------------------------------------------------------------------------------------------- kernels
 * `scratch` of tc_conv holds one window: kernel_height * kernel_width * group_inputs bytes. With TC_DSP it holds two windows of
 * 16-bit numbers, as that of tc_pointwise does, and beside them two of bytes.
 * tc_scale, tc_add, tc_multiply and tc_lookup may write over an input that is not broadcast, the three cells over the old cell,
 * tc_layer_norm over its input. No other kernel may.
 */
void tc_conv(const tc_conv_params *p, const int8_t *input, int8_t *output, int8_t *scratch);
void tc_depthwise(const tc_depthwise_params *p, const int8_t *input, int8_t *output);
void tc_linear(const tc_linear_params *p, const int8_t *input, int8_t *output);
void tc_sparse_linear(const tc_sparse_linear_params *p, const int8_t *input, int8_t *output);
void tc_scale(const tc_scale_params *p, const int8_t *input, int8_t *output);
void tc_add(const tc_add_params *p, const int8_t *a, const int8_t *b, int8_t *output);
void tc_multiply(const tc_multiply_params *p, const int8_t *a, const int8_t *b, int8_t *output);
void tc_max_pool(const tc_pool_params *p, const int8_t *input, int8_t *output);
void tc_average_pool(const tc_pool_params *p, const int8_t *input, int8_t *output);
void tc_upsample(const tc_upsample_params *p, const int8_t *input, int8_t *output);
void tc_crop(const tc_box_params *p, const int8_t *input, int8_t *output);
void tc_pad(const tc_box_params *p, const int8_t *input, int8_t *output);
void tc_shift(const tc_shift_params *p, const int8_t *input, int8_t *output);
void tc_lookup(const tc_lookup_params *p, const int8_t *input, int8_t *output);
void tc_embedding(const tc_embedding_params *p, const int16_t *input, int8_t *output);
void tc_linear16(const tc_linear16_params *p, const int8_t *x, int16_t *output);
void tc_linear16_pair(const tc_linear16_pair_params *p, const int8_t *x, const int8_t *h, int16_t *output);
void tc_layer_norm(const tc_layer_norm_params *p, const int16_t *input, int16_t *output);
void tc_lstm_cell(const tc_cell_params *p, const int16_t *gates, const int16_t *cell, int16_t *output);
void tc_cifg_cell(const tc_cell_params *p, const int16_t *gates, const int16_t *cell, int16_t *output);
void tc_sru_cell(const tc_cell_params *p, const int16_t *gates, const int16_t *cell, int16_t *output);
void tc_gated_output(const tc_cell_output_params *p, const int16_t *gates, const int16_t *cell, int8_t *output);
void tc_highway_output(const tc_cell_output_params *p, const int16_t *gates, const int16_t *cell, int8_t *output);
void tc_tanh8(const tc_tanh8_params *p, const int16_t *input, int8_t *output);

/* Outputs o to o + count of a sparse product, rescaled; o is a multiple of 8, count is 8 or what is left at the end. */
void tc_sparse_rows(const tc_product *p, int32_t o, int32_t count, const int8_t *input, int32_t y[8]);

/* Scratch: fft * 4 bytes for a spectrum, mels * 2 for logarithms, window_size * 2 for a frame (the last only for tc_features);
 * it begins at a multiple of 4. tc_features takes a recording, tc_frame the samples of one frame. */
void tc_features(const tc_features_params *p, const int16_t *input, int8_t *output, int8_t *scratch);
void tc_frame(const tc_features_params *p, const int16_t *input, int8_t *output, int8_t *scratch);

/* Where the next samples go; take them in; then ask for the features of every frame that they completed, until there is none (0). */
int16_t *tc_ears_input(const tc_ears_params *p, const tc_ears *state);
void tc_ears_hear(const tc_ears_params *p, tc_ears *state);
int32_t tc_ears_frame(const tc_ears_params *p, tc_ears *state, int8_t *output);

/* Take a chunk, which lies where tc_ears_input says. */
void tc_listen(const tc_listener_params *p, tc_listener *state);

/* Shared by conv and linear: outputs [first, last) of one product. */
void tc_dense(const tc_dense_params *p, int32_t first, int32_t last, const int8_t *input, int8_t *output);

#if TC_DSP
/* tc_linear of several rows. */
void tc_pointwise(const tc_linear_params *p, const int8_t *input, int8_t *output, int8_t *scratch);

/* For shapes that do not suit the DSP kernels. */
void tc_conv_plain(const tc_conv_params *p, const int8_t *input, int8_t *output, int8_t *scratch);
void tc_depthwise_plain(const tc_depthwise_params *p, const int8_t *input, int8_t *output);
void tc_max_pool_plain(const tc_pool_params *p, const int8_t *input, int8_t *output);
void tc_average_pool_plain(const tc_pool_params *p, const int8_t *input, int8_t *output);
void tc_add_plain(const tc_add_params *p, const int8_t *a, const int8_t *b, int8_t *output);
#endif

#ifdef __cplusplus
}
#endif

#endif
