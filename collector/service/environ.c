// SPDX-License-Identifier: Apache-2.0
/* See environ.h. */
#include "service/environ.h"

#include <stdint.h>
#include <string.h>

#include "lib/utf8.h"

enum { MAX_ATTRIBUTE = 4 * DDP_MAX_NAME };	/* of one encoded value; more is not looked at */

/* A piece of the block; text NULL: not there */
struct piece {
	const char *text;
	size_t len;
};

/* Names */

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_control(char c)
{
	return (unsigned char)c < 0x20 || c == 0x7f;
}

/* Whole characters only: a limit may fall into one */
static size_t cut(const char *text, size_t len)
{
	if (len <= DDP_MAX_NAME)
		return len;
	len = DDP_MAX_NAME;
	while (len && ((unsigned char)text[len] & 0xc0) == 0x80)
		len--;
	return len;
}

void ddp_name_clean(const char *text, size_t len, char ret[DDP_MAX_NAME + 1])
{
	size_t n = 0;

	while (len && is_space(text[0])) {
		text++;
		len--;
	}
	len = cut(text, len);
	while (len && is_space(text[len - 1]))
		len--;
	while (n < len) {
		size_t good = ddp__utf8_valid(text + n, len - n);

		for (size_t i = n; i < n + good; i++)
			ret[i] = is_control(text[i]) ? '_' : text[i];
		n += good;
		if (n < len)
			ret[n++] = '_';
	}
	ret[n] = '\0';
}

/* OTEL_RESOURCE_ATTRIBUTES */

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A '%' without two digits behind it stays what it is. @return bytes in @ret */
static size_t percent_decode(struct piece p, char *ret, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < p.len && n < size; i++) {
		int high = p.text[i] == '%' && i + 2 < p.len ? hex(p.text[i + 1]) : -1;
		int low = high < 0 ? -1 : hex(p.text[i + 2]);

		ret[n++] = low < 0 ? p.text[i] : (char)(high << 4 | low);
		i += low < 0 ? 0 : 2;
	}
	return n;
}

static struct piece trim(struct piece p)
{
	while (p.len && is_space(p.text[0])) {
		p.text++;
		p.len--;
	}
	while (p.len && is_space(p.text[p.len - 1]))
		p.len--;
	return p;
}

static bool is(struct piece p, const char *name)
{
	return p.len == strlen(name) && !memcmp(p.text, name, p.len);
}

/* The value of @key in a list of key=value,key=value */
static struct piece attribute(struct piece list, const char *key)
{
	while (list.len) {
		const char *comma = memchr(list.text, ',', list.len);
		size_t n = comma ? (size_t)(comma - list.text) : list.len;
		const char *equals = memchr(list.text, '=', n);
		size_t name = equals ? (size_t)(equals - list.text) : n;

		if (equals && is(trim((struct piece){ list.text, name }), key))
			return (struct piece){ equals + 1, n - name - 1 };
		n += !!comma;
		list.text += n;
		list.len -= n;
	}
	return (struct piece){ NULL, 0 };
}

/* The block */

static struct piece variable(const char *block, size_t len, const char *name)
{
	size_t n = strlen(name);

	while (len) {
		const char *end = memchr(block, '\0', len);
		size_t line = end ? (size_t)(end - block) : len;

		if (!end)
			break;
		if (line > n && block[n] == '=' && !memcmp(block, name, n))
			return (struct piece){ block + n + 1, line - n - 1 };
		block += line + 1;
		len -= line + 1;
	}
	return (struct piece){ NULL, 0 };
}

static bool take(struct piece p, char ret[DDP_MAX_NAME + 1])
{
	if (p.len)
		ddp_name_clean(p.text, p.len, ret);
	return ret[0];
}

static bool take_attribute(struct piece list, const char *key, char ret[DDP_MAX_NAME + 1])
{
	char decoded[MAX_ATTRIBUTE];
	struct piece value = attribute(list, key);

	return take((struct piece){ decoded, percent_decode(value, decoded, sizeof(decoded)) },
		    ret);
}

void ddp_environ_parse(const char *block, size_t len, struct ddp_environ *ret)
{
	struct piece otel = variable(block, len, "OTEL_RESOURCE_ATTRIBUTES");

	memset(ret, 0, sizeof(*ret));
	if (!take(variable(block, len, "DD_SERVICE"), ret->service) &&
	    !take(variable(block, len, "OTEL_SERVICE_NAME"), ret->service))
		take_attribute(otel, "service.name", ret->service);
	if (!take(variable(block, len, "DD_ENV"), ret->environment) &&
	    !take_attribute(otel, "deployment.environment.name", ret->environment))
		take_attribute(otel, "deployment.environment", ret->environment);
	if (!take(variable(block, len, "DD_VERSION"), ret->version))
		take_attribute(otel, "service.version", ret->version);
}
