/* json_lines.c: the JSON lines of steps and epochs. */
#include <stdio.h>
#include <stdlib.h>

#include "../files/json.h"
#include "json_lines.h"

static char *report_finish(FILE *text, char **line)
{
    if (fclose(text) == 0)
        return *line;
    free(*line);
    return NULL;
}

static void report_number(FILE *text, const char *key, double value)
{
    fprintf(text, ",\"%s\":", key);
    pcc_json_write_number(text, value);
}

char *pcc_step_line(const PccStepReport *report)
{
    char *line = NULL;
    size_t size;
    FILE *text = open_memstream(&line, &size);
    if (!text)
        return NULL;
    fprintf(text, "{\"step\":%lld,\"epoch\":%lld", (long long)report->step, (long long)report->epoch);
    report_number(text, "loss", report->loss);
    report_number(text, "lr", report->lr);
    report_number(text, "samples_per_s", (double)(int64_t)(report->samples_per_s * 10 + 0.5) / 10);
    report_number(text, "scale", report->scale);
    fprintf(text, ",\"skipped\":%lld", (long long)report->skipped);
    if (report->overflow) {
        fputs(",\"overflow\":", text);
        pcc_json_write_string(text, report->overflow);
    }
    fputc('}', text);
    return report_finish(text, &line);
}

char *pcc_epoch_line(const PccEpochReport *report)
{
    char *line = NULL;
    size_t size;
    FILE *text = open_memstream(&line, &size);
    if (!text)
        return NULL;
    fprintf(text, "{\"epoch\":%lld,\"val_loss\":", (long long)report->epoch);
    if (report->has_val)
        pcc_json_write_number(text, report->val_loss);
    else
        fputs("null", text);
    fputs(",\"val_accuracy\":", text);
    if (report->has_accuracy)
        pcc_json_write_number(text, report->val_accuracy);
    else
        fputs("null", text);
    if (report->has_lost)
        report_number(text, "lost_updates", report->lost_updates);
    fputc('}', text);
    return report_finish(text, &line);
}
