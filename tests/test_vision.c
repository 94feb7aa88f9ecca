/* Room vision: images as bytes of a file; pixels as PNG, read back by the plainest reader. */

static uint32_t vision_be32(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint32_t vision_crc(const uint8_t *p, size_t n) { /* bit by bit */
    uint32_t crc = ~(uint32_t)0;
    for (size_t i = 0; i < n; i++) {
        crc ^= p[i];
        for (int k = 0; k < 8; k++) crc = crc & 1 ? crc >> 1 ^ 0xedb88320 : crc >> 1;
    }
    return ~crc;
}

/* The rows of a PNG of stored blocks, each behind its filter byte, appended to rows. */
static void vision_read(const uint8_t *p, size_t n, int32_t width, int32_t height, allm__buf *rows) {
    size_t at = 8, i = 2;
    assert_memory_equal(p, "\x89PNG\r\n\x1a\n", 8);
    for (int chunk = 0; chunk < 3; chunk++) {
        static const char *const types[] = {"IHDR", "IDAT", "IEND"};
        const size_t             size    = vision_be32(p + at);
        const uint8_t           *data    = p + at + 8;
        assert_memory_equal(p + at + 4, types[chunk], 4);
        assert_true(at + size + 12 <= n && vision_be32(data + size) == vision_crc(p + at + 4, size + 4));
        if (chunk == 0) assert_true((int32_t)vision_be32(data) == width && (int32_t)vision_be32(data + 4) == height);
        for (int last = chunk != 1; !last;) { /* RFC 1951, 3.2.4 */
            const size_t len = data[i + 1] | (size_t)data[i + 2] << 8;
            assert_int_equal(len ^ 0xffff, data[i + 3] | (size_t)data[i + 4] << 8);
            last = data[i];
            allm__buf_put(rows, (const char *)data + i + 5, len), i += 5 + len;
        }
        if (chunk == 1) { /* RFC 1950 */
            uint32_t a = 1, b = 0;
            for (size_t k = 0; k < rows->len; k++) a = (a + (uint8_t)rows->ptr[k]) % 65521, b = (b + a) % 65521;
            assert_true(vision_be32(data + i) == (b << 16 | a) && i + 4 == size);
        }
        at += size + 12;
    }
    assert_int_equal(at, n);
}

static void test_vision_png(void **state) { /* also rows of several blocks, and of exactly one */
    static const int32_t sizes[][2] = {{1, 1}, {2, 3}, {5, 1}, {21844, 2}, {21845, 1}, {50000, 2}};
    (void)state;
    for (size_t k = 0; k < ALLM__COUNT(sizes); k++) {
        const size_t n_row = 3 * (size_t)sizes[k][0], n = n_row * (size_t)sizes[k][1];
        allm__buf    own = {&http_host, NULL, 0, 0, 0, 0}, rows = own;
        allm_error   err = {0};
        allm_str     bytes;
        const char  *media = NULL;
        uint8_t     *rgb   = (uint8_t *)malloc(n);
        assert_non_null(rgb);
        for (size_t i = 0; i < n; i++) rgb[i] = (uint8_t)(i * 7 + i / 251);
        const allm_image image = {NULL, rgb, n, sizes[k][0], sizes[k][1]};
        if (allm__vision_load(&image, &own, &bytes, &media, &err)) fail_msg("%s", err.message);
        assert_string_equal(media, "image/png");
        vision_read((const uint8_t *)bytes.ptr, bytes.len, sizes[k][0], sizes[k][1], &rows);
        assert_int_equal(rows.len, n + (size_t)sizes[k][1]);
        for (size_t y = 0; y < (size_t)sizes[k][1]; y++) {
            assert_int_equal(rows.ptr[y * (n_row + 1)], 0);
            assert_memory_equal(rows.ptr + y * (n_row + 1) + 1, rgb + y * n_row, n_row);
        }
        free(rgb), allm__buf_free(&own), allm__buf_free(&rows);
    }
}

static allm_status vision_fail_body(const allm__host *h, void *ctx) {
    const allm_image image = {NULL, "123456", 6, 2, 1};
    allm__buf        own   = {h, NULL, 0, 0, 0, 0};
    allm_error       err   = {0};
    allm_str         bytes;
    const char      *media;
    (void)ctx;
    allm_status status = allm__vision_load(&image, &own, &bytes, &media, &err);
    allm__buf_free(&own);
    return status;
}

static void test_vision_memory(void **state) {
    (void)state;
    test_fail_each(vision_fail_body, NULL);
}

static const struct CMUnitTest test_vision[] = {
    cmocka_unit_test(test_vision_png),
    cmocka_unit_test(test_vision_memory),
};
