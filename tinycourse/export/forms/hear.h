/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HEAR_H
#define HEAR_H

#include <${include}>
#include <stdbool.h>
#include <string.h>

#include "clip.h"
#include "words.h"

/* The word that the model recognises in the clip. `same`: whether every score is the one that the computer found. */
static inline const char *hear_clip(bool *same)
{
    int best = 0;
    memcpy(model_input(), clip, sizeof clip);${reset}
    model_run();
    *same = true;
    for (int i = 0; i < ${scores}; i++) {
        best = model_output()[i] > model_output()[best] ? i : best;
        *same = *same && model_output()[i] == expected[i];
    }
    return words[best];
}

#endif
