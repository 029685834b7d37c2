// SPDX-License-Identifier: Apache-2.0
/*
 * Whom the exporter trusts: a receiver with TLS on 127.0.0.1 whose certificate is right, or wrong
 * in one way. Certificates are made here, each signed by itself.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <cmocka.h>

#include "ddprof/exporter.h"

enum { DAY_S = 24 * 3600 };

/* Certificates */

struct identity {
	EVP_PKEY *key;
	X509 *certificate;
	char pem[64];		/* a file with both */
};

static void write_pem(const struct identity *id)
{
	FILE *f = fopen(id->pem, "w");

	assert_non_null(f);
	assert_int_equal(PEM_write_X509(f, id->certificate), 1);
	assert_int_equal(PEM_write_PrivateKey(f, id->key, NULL, NULL, 0, NULL, NULL), 1);
	assert_int_equal(fclose(f), 0);
}

/* For @san, "IP:127.0.0.1", until @until_s from now */
static void make_identity(struct identity *id, const char *file, const char *san, long until_s)
{
	X509_NAME *name;
	X509_EXTENSION *extension;
	X509 *c = X509_new();

	id->key = EVP_EC_gen("P-256");
	id->certificate = c;
	assert_non_null(id->key);
	X509_set_version(c, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(c), 1);
	X509_gmtime_adj(X509_getm_notBefore(c), -2 * DAY_S);
	X509_gmtime_adj(X509_getm_notAfter(c), until_s);
	X509_set_pubkey(c, id->key);
	name = X509_get_subject_name(c);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)file, -1, -1,
				   0);
	X509_set_issuer_name(c, name);
	extension = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, san);
	assert_non_null(extension);
	X509_add_ext(c, extension, -1);
	X509_EXTENSION_free(extension);
	assert_true(X509_sign(c, id->key, EVP_sha256()) > 0);
	snprintf(id->pem, sizeof(id->pem), "/tmp/ddprof-tls-%d-%s.pem", getpid(), file);
	write_pem(id);
}

static void free_identity(struct identity *id)
{
	unlink(id->pem);
	X509_free(id->certificate);
	EVP_PKEY_free(id->key);
}

/* A receiver for one connection: reads until the request is over, answers 200 */

struct server {
	SSL_CTX *context;
	int listener;
	uint16_t port;
	pthread_t thread;
};

static void serve(SSL *ssl)
{
	static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"
				     "Connection: close\r\n\r\n";
	char request[65536];
	size_t n = 0;
	int got;

	/* the end of a multipart body */
	while (n < 6 || memcmp(request + n - 4, "--\r\n", 4)) {
		got = SSL_read(ssl, request + n, sizeof(request) - n);
		if (got <= 0)
			return;
		n += got;
	}
	SSL_write(ssl, answer, strlen(answer));
	SSL_shutdown(ssl);
}

static void *run(void *ctx)
{
	struct server *s = ctx;
	int fd = accept(s->listener, NULL, NULL);
	SSL *ssl;

	if (fd < 0)
		return NULL;
	ssl = SSL_new(s->context);
	SSL_set_fd(ssl, fd);
	if (SSL_accept(ssl) == 1)
		serve(ssl);
	SSL_free(ssl);
	close(fd);
	return NULL;
}

static void start(struct server *s, const struct identity *id, const struct identity *client)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(a);

	s->context = SSL_CTX_new(TLS_server_method());
	SSL_CTX_use_certificate(s->context, id->certificate);
	SSL_CTX_use_PrivateKey(s->context, id->key);
	if (client) {
		X509_STORE_add_cert(SSL_CTX_get_cert_store(s->context), client->certificate);
		SSL_CTX_set_verify(s->context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
				   NULL);
	}
	s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(s->listener, (struct sockaddr *)&a, n), 0);
	assert_int_equal(getsockname(s->listener, (struct sockaddr *)&a, &n), 0);
	assert_int_equal(listen(s->listener, 1), 0);
	s->port = ntohs(a.sin_port);
	assert_int_equal(pthread_create(&s->thread, NULL, run, s), 0);
}

static void stop(struct server *s)
{
	/* it may be waiting still, for a client that had no time to connect */
	shutdown(s->listener, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close(s->listener);
	SSL_CTX_free(s->context);
}

static int send_to(struct ddp_exporter_config config, uint16_t port,
		   struct ddp_export_result *result)
{
	struct ddp_export_form form = { .profile = "x", .profile_bytes = 1 };
	struct ddp_exporter *e;
	char url[64];
	int r;

	snprintf(url, sizeof(url), "https://127.0.0.1:%u", port);
	config.url = url;
	config.timeout_ms = 120000; /* for a busy host, under valgrind */
	assert_int_equal(ddp_exporter_create(&config, &e, NULL), 0);
	r = ddp_exporter_send(e, &form, result);
	ddp_exporter_destroy(e);
	return r;
}

static void only_the_right_certificate_is_trusted(void **state)
{
	enum { GOOD, OTHER, NAME, EXPIRED, CLIENT, NR };
	static const struct {
		const char *file, *san;
		long until_s;
	} made[NR] = {
		[GOOD] = { "good", "IP:127.0.0.1", DAY_S },
		[OTHER] = { "other", "IP:127.0.0.1", DAY_S },
		[NAME] = { "name", "DNS:example.org", DAY_S },
		[EXPIRED] = { "expired", "IP:127.0.0.1", -DAY_S },
		[CLIENT] = { "client", "DNS:client", DAY_S },
	};
	static const struct {
		const char *what;
		int server, trusted, given;	/* -1: none */
		bool asks;			/* for a client's certificate */
		const char *says;		/* NULL: it arrives */
	} rows[] = {
		{ "its own", GOOD, GOOD, -1, false, NULL },
		{ "not among the system's roots", GOOD, -1, -1, false, "certificate" },
		{ "another one", GOOD, OTHER, -1, false, "certificate" },
		{ "for another name", NAME, NAME, -1, false, "127.0.0.1" },
		{ "expired", EXPIRED, EXPIRED, -1, false, "expired" },
		{ "a client's, asked for", GOOD, GOOD, CLIENT, true, NULL },
		{ "a client's, not asked for", GOOD, GOOD, CLIENT, false, NULL },
		/* who notices first says it */
		{ "another client's", GOOD, GOOD, OTHER, true, "" },
	};
	struct identity ids[NR];
	struct ddp_export_result result;
	struct server server;
	size_t i;

	(void)state;
	for (i = 0; i < NR; i++)
		make_identity(&ids[i], made[i].file, made[i].san, made[i].until_s);
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct ddp_exporter_config config = {
			.ca_file = rows[i].trusted < 0 ? NULL : ids[rows[i].trusted].pem,
			.client_cert = rows[i].given < 0 ? NULL : ids[rows[i].given].pem,
			/* else it is looked for in the certificate's file */
			.client_key = rows[i].asks ? ids[rows[i].given].pem : NULL,
		};
		int r;

		print_message("  %s\n", rows[i].what);
		start(&server, &ids[rows[i].server], rows[i].asks ? &ids[CLIENT] : NULL);
		r = send_to(config, server.port, &result);
		stop(&server);
		assert_int_equal(r, rows[i].says ? DDP_EXPORT_RETRY : DDP_EXPORT_OK);
		if (rows[i].says && !strstr(result.message, rows[i].says))
			fail_msg("%s", result.message);
	}
	for (i = 0; i < NR; i++)
		free_identity(&ids[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_the_right_certificate_is_trusted),
	};

	signal(SIGPIPE, SIG_IGN);	/* OpenSSL's writes to who has gone */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
