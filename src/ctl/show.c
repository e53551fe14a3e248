/* SPDX-License-Identifier: MIT */
/* show.c - answers for people: tables, sizes; and JSON for programs. */
#include "ctl/ctl.h"

#include <inttypes.h>

#define COLUMNS_MAX 12
#define CELL_SIZE   256

void ctl_write_json(struct str json)
{
    AUTO_BUF(text, 6 * json.len + 1);

    buf_add_json_for_eyes(&text, json);
    fwrite(text.ptr, 1, text.len, stdout);
}

static int write_shown(const char *text, size_t len, void *arg)
{
    (void)arg;
    ctl_write_json(str_of(text, len));
    return 0;
}

enum ctl_exit ctl_print_json(const struct ctl *c, json_t *value)
{
    json_dump_callback(value, write_shown, stdout, c->terminal ? JSON_INDENT(2) : JSON_COMPACT);
    putchar('\n');
    json_decref(value);
    return CTL_DONE;
}

void ctl_format_bytes(uint64_t bytes, char out[32])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    double value = (double)bytes;
    size_t unit = 0;

    for (; value >= 1024 && unit + 1 < ARRAY_LEN(units); unit++)
        value /= 1024;
    snprintf(out, 32, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

void ctl_free_json_text(char *text)
{
    json_free_t release;

    json_get_alloc_funcs(NULL, &release);
    release(text);
}

static const json_t *find_field(const json_t *row, const char *path)
{
    struct str rest = str_c(path), name;

    while (row && str_split(&rest, '.', &name)) {
        char key[64];

        snprintf(key, sizeof(key), "%.*s", (int)name.len, name.ptr);
        row = json_object_get(row, key);
    }
    return row;
}

void ctl_add_printable(struct buf *out, struct str text)
{
    while (text.len > 0) {
        size_t len = str_printable(text);

        buf_add(out, len > 0 ? str_of(text.ptr, len) : STR("?"));
        /* One mark for a character, or for a byte that is part of none. */
        while (len == 0 && ++len < 4 && len < text.len && !str_is_utf8(str_of(text.ptr, len)))
            continue;
        if (!str_is_utf8(str_of(text.ptr, len)))
            len = 1;
        text = str_from(text, len);
    }
}

void ctl_make_printable(json_t *value)
{
    const char *name;
    json_t *item;
    size_t i;

    if (json_is_string(value)) {
        struct str text = str_of(json_string_value(value), json_string_length(value));
        AUTO_BUF(shown, text.len + 1);

        ctl_add_printable(&shown, text);
        json_string_setn(value, shown.ptr ? shown.ptr : "", shown.len);
    }
    json_array_foreach(value, i, item) ctl_make_printable(item);
    json_object_foreach(value, name, item) ctl_make_printable(item);
}

static void format_cell(const json_t *row, const struct ctl_column *column, char out[CELL_SIZE])
{
    const json_t *value = find_field(row, column->field);

    if (!value || json_is_null(value)) {
        snprintf(out, CELL_SIZE, "-");
    } else if (json_is_string(value)) {
        snprintf(out, CELL_SIZE, "%s", json_string_value(value));
        /* "2026-11-24T11:20:00.000Z" */
        if (column->kind == CTL_TIME && strlen(out) == 24) {
            out[10] = ' ';
            out[19] = '\0';
        }
    } else if (column->kind == CTL_BYTES) {
        char text[32];

        ctl_format_bytes((uint64_t)json_integer_value(value), text);
        snprintf(out, CELL_SIZE, "%s", text);
    } else if (column->kind == CTL_MS) {
        snprintf(out, CELL_SIZE, "%.2f", json_number_value(value));
    } else if (json_is_boolean(value)) {
        snprintf(out, CELL_SIZE, "%s", json_is_true(value) ? "yes" : "no");
    } else {
        snprintf(out, CELL_SIZE, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    }
}

static bool is_right_aligned(const struct ctl_column *column)
{
    return column->kind != CTL_TEXT && column->kind != CTL_TIME;
}

static void print_cell(const struct ctl_column *column, const char *text, size_t width,
                       bool last)
{
    if (is_right_aligned(column))
        printf("%*s", (int)width, text);
    else if (last)
        printf("%s", text);
    else
        printf("%-*s", (int)width, text);
    fputs(last ? "\n" : "  ", stdout);
}

void ctl_print_table(const json_t *rows, const struct ctl_column *columns)
{
    size_t widths[COLUMNS_MAX], count = 0, i;
    char cell[CELL_SIZE];
    json_t *row;

    for (; columns[count].title; count++)
        widths[count] = strlen(columns[count].title);
    json_array_foreach((json_t *)(uintptr_t)rows, i, row)
    {
        for (size_t k = 0; k < count; k++) {
            format_cell(row, &columns[k], cell);
            if (strlen(cell) > widths[k])
                widths[k] = strlen(cell);
        }
    }
    for (size_t k = 0; k < count; k++)
        print_cell(&columns[k], columns[k].title, widths[k], k + 1 == count);
    json_array_foreach((json_t *)(uintptr_t)rows, i, row)
    {
        for (size_t k = 0; k < count; k++) {
            format_cell(row, &columns[k], cell);
            print_cell(&columns[k], cell, widths[k], k + 1 == count);
        }
    }
}
