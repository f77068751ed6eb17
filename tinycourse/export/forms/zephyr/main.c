/* SPDX-License-Identifier: Apache-2.0
 * Recognises a clip that lies in flash, and compares the answer with the one that the computer found. */
#include <${symbol}/model.h>
#include <zephyr/kernel.h>
#include <zephyr/sys/printk.h>

#include "hear.h"

int main(void)
{
    /* For a microphone: instead of the clip${microphone} */
    bool same;
    const int64_t begin = k_uptime_get();
    const char *heard = hear_clip(&same);
    const int32_t time = (int32_t)(k_uptime_get() - begin);
    printk("recognised %s, %s, in %d milliseconds\n", heard, same ? "every number as on the computer" : "with other numbers than on the computer", time);
    return 0;
}
