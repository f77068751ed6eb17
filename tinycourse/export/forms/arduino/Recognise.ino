// SPDX-License-Identifier: Apache-2.0
// Recognises a clip that lies in flash, and compares the answer with the one that the computer found.

#include <${name}.h>

#include "hear.h"

void setup() { Serial.begin(115200); }

void loop()
{
    // For a microphone: instead of the clip${microphone}
    bool same;
    const unsigned long begin = micros();
    const char *heard = hear_clip(&same);
    const unsigned long time = micros() - begin;
    Serial.print("recognised ");
    Serial.print(heard);
    Serial.print(same ? ", every number as on the computer, in " : ", with other numbers than on the computer, in ");
    Serial.print(time);
    Serial.println(" microseconds");
    delay(2000);
}
