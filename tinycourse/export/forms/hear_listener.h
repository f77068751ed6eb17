/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HEAR_H
#define HEAR_H

#include <${include}>
#include <stdbool.h>
#include <string.h>

#include "clip.h"
#include "words.h"

/* The words that fire while the clip is fed chunk by chunk. `same`: whether each comes in the chunk, and with the score, that the computer
 * found. */
static inline const char *hear_clip(bool *same)
{
    static char text[256];
    int32_t fired = 0; /* numbers in `expected`: chunk, word, score */
    text[0] = 0;
    *same = true;
    model_reset();
    for (size_t chunk = 0; chunk < sizeof clip / sizeof *clip / MODEL_CHUNK; chunk++) {
        memcpy(model_input(), clip + chunk * MODEL_CHUNK, MODEL_CHUNK * sizeof *clip);
        model_run();
        const int16_t found[3] = {(int16_t)chunk, model_output()[0], model_output()[1]};
        if (found[1] < 0)
            continue;
        for (int32_t i = 0; i < 3; i++, fired++)
            *same = *same && fired < ${labels} && found[i] == expected[fired];
        strncat(text, text[0] ? " " : "", sizeof text - strlen(text) - 1);
        strncat(text, words[found[1]], sizeof text - strlen(text) - 1);
    }
    *same = *same && fired == ${labels};
    return text[0] ? text : "nothing";
}

#endif
