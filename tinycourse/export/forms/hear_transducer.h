/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HEAR_H
#define HEAR_H

#include <${include}>
#include <stdbool.h>
#include <string.h>

#include "clip.h"
#include "words.h"

/* What the model writes while it takes the clip. `same`: whether every label is the one that the computer found. */
static inline const char *hear_clip(bool *same)
{
    static char text[256];
    int32_t said = 0;
    text[0] = 0;
    *same = true;
    model_reset();
    for (size_t heard = 0; heard < sizeof clip; heard += MODEL_INPUT_BYTES) {
        memcpy(model_input(), (const char *)clip + heard, MODEL_INPUT_BYTES);
        model_run();
        for (; said < model_count(); said++) {
            const int16_t label = model_labels()[said % MODEL_KEPT];
            *same = *same && said < ${labels} && label == expected[said];
            strncat(text, words[label], sizeof text - strlen(text) - 1);
        }
    }
    *same = *same && said == ${labels};
    return text[0] == ' ' ? text + 1 : text;
}

#endif
