/* SPDX-License-Identifier: Apache-2.0
 * Recognises what a file holds, as raw integers of this computer: ${what}.
 * Every MODEL_INPUT_BYTES of it get an answer: a word, and all scores. */
#include <stdio.h>

#include "words.h"
#include "model.h"

int main(int count, char **arguments)
{
    FILE *file = count == 2 ? fopen(arguments[1], "rb") : NULL;
    if (!file) {
        fprintf(stderr, "usage: %s FILE, which holds ${what}\n", arguments[0]);
        return 1;
    }
    while (fread(model_input(), MODEL_INPUT_BYTES, 1, file) == 1) {${reset}
        model_run();
        int best = 0;
        for (int i = 1; i < ${scores}; i++)
            if (model_output()[i] > model_output()[best])
                best = i;
        printf("%s:", words[best]);
        for (int i = 0; i < ${scores}; i++)
            printf(" %d", model_output()[i]);
        printf("\n");
    }
    fclose(file);
    return 0;
}
