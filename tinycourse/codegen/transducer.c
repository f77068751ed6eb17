/* SPDX-License-Identifier: Apache-2.0
 * A transducer for a stream: a frame of features, or the next samples, in, and now and then a label out. Four networks, each a
 * model of its own, do the work; here are the frames between them, and greedy search. What it computes is defined bit for bit
 * by TransducerProgram.run in tinycourse/program/transducer.py. */
#include "model.h"

#include "kernels.h"
#include "model_back.h"
#include "model_front.h"
#include "model_joint.h"
#include "model_prediction.h"
#if MODEL_TAKES_SAMPLES
/* The front end comes here: tables, parameters, buffers. */

static tc_ears ear;
#endif

static int8_t frames[MODEL_STACK * MODEL_FEATURES]; /* the last ones, which wait for their neighbours */
static int32_t waiting;                             /* how many */
static int32_t joined;                              /* outputs of the front that wait in the input of the back */
static int16_t labels[MODEL_KEPT];
static int32_t count;

/* Tell the joint network what may follow a label. */
static void predict(int16_t label)
{
    *model_prediction_input() = label;
    model_prediction_run();
    tc_copy(model_prediction_output(), MODEL_PREDICTION_OUTPUT_BYTES, model_joint_state_0());
}

/* The first of the largest logits; blank has to lead by its penalty. */
static int16_t likeliest(const int16_t *logits)
{
    int32_t best = MODEL_BLANK, highest = logits[MODEL_BLANK] - MODEL_BLANK_PENALTY;
    for (int32_t label = 0; label < MODEL_LABELS; label++)
        if (label != MODEL_BLANK && logits[label] > highest) {
            best = label;
            highest = logits[label];
        }
    return (int16_t)best;
}

/* Greedy search in one output of the encoder: labels, until blank is the likeliest or enough are said. */
static void search(void)
{
    for (int32_t symbol = 0; symbol < MODEL_SYMBOLS; symbol++) {
        tc_copy(model_back_output(), MODEL_BACK_OUTPUT_BYTES, model_joint_input()); /* a run overwrites its input */
        model_joint_run();
        const int16_t label = likeliest(model_joint_output());
        if (label == MODEL_BLANK)
            return;
        labels[count++ % MODEL_KEPT] = label;
        predict(label);
    }
}

/* Take in the frame behind those that wait. */
static void listen(void)
{
    if (++waiting < MODEL_STACK)
        return;
    tc_copy(frames, MODEL_STACK * MODEL_FEATURES, model_front_input());
    tc_copy(frames + MODEL_HOP * MODEL_FEATURES, (MODEL_STACK - MODEL_HOP) * MODEL_FEATURES, frames);
    waiting -= MODEL_HOP;
    model_front_run();

    tc_copy(model_front_output(), MODEL_FRONT_OUTPUT_BYTES, model_back_input() + joined * MODEL_FRONT_OUTPUT_BYTES);
    if (++joined < MODEL_REDUCTION)
        return;
    joined = 0;
    model_back_run();
    search();
}

void model_reset(void)
{
    waiting = MODEL_STACK - MODEL_HOP;
    joined = 0;
    count = 0;
#if MODEL_TAKES_SAMPLES
    ear = (tc_ears){0};
#endif
    tc_fill(MODEL_INPUT_ZERO_POINT, waiting * MODEL_FEATURES, frames); /* silence was there */
    model_front_reset();
    model_back_reset();
    model_joint_reset();
#if MODEL_PREDICTION_REMEMBERS
    model_prediction_reset();
#endif
    predict(MODEL_BLANK);
}

#if MODEL_TAKES_SAMPLES
int16_t *model_input(void) { return tc_ears_input(&ears, &ear); }

void model_run(void)
{
    tc_ears_hear(&ears, &ear);
    while (tc_ears_frame(&ears, &ear, frames + waiting * MODEL_FEATURES))
        listen();
}
#else
int8_t *model_input(void) { return frames + waiting * MODEL_FEATURES; }

void model_run(void) { listen(); }
#endif

const int8_t *model_output(void) { return model_back_output(); }

int32_t model_count(void) { return count; }

const int16_t *model_labels(void) { return labels; }
