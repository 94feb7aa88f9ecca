/* Room schema: the golden suites, a table of our own, what is refused and where, numbers against arithmetic, hostile
 * schemas, memory. FAULTS row 30. */

static void schema_table(void **state) {
    static const gram_row rows[] = {
        {"{}", "1|-0.5e3|\"a\"|null|[1,{\"a\":[]}]|{\"a\": 1, \"b\":[true, false]}",
         "|01|1.|[1,]|{\"a\":1,}|\"\t\"|nul"},
        {"true", "{}|\"\\u00e9\\n\\ud83d\\ude42\"", "\"\\ud83d\"|\"\\x\"|\"\\ude42\""},
        {"false", "", "1|null"},
        {"{\"type\":\"integer\"}", "0|-12|5.0", "1.5|-|1e2"},
        {"{\"type\":\"string\",\"minLength\":2,\"maxLength\":3}",
         "\"ab\"|\"\\u00e9\xc3\xa9\xe2\x82\xac\"|\"\\n\\ud83d\\ude42\"", "\"a\"|\"abcd\"|\"\\ud83d\\ude42\""},
        {"{\"type\":\"string\",\"maxLength\":100000}", "\"\"|\"abc\"", "1"},
        {"{\"type\":\"string\",\"pattern\":\"^(?:a|\\\\u00e9){2}$\"}", "\"a\xc3\xa9\"|\"\\u00e9\\u0061\"",
         "\"a\"|\"aab\"|\"\\u00e8a\""},
        {"{\"type\":\"string\",\"pattern\":\"(^a|b$)\"}", "\"ax\"|\"xb\"|\"ab\"", "\"xax\"|\"bx\"|\"\""},
        {"{\"type\":\"string\",\"pattern\":\"^(a+)+$\"}", "\"a\"|\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"",
         "\"\"|\"aaaaaaaaaaaaaaaaaaaaaaaab\""},
        {"{\"type\":\"string\",\"pattern\":\"^b*c{3}$\",\"maxLength\":5}", "\"ccc\"|\"bbccc\"",
         "\"bbbccc\"|\"bbb\"|\"cc\""},
        {"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"null\"},\"b\":{\"type\":\"null\"}},\"required\":["
         "\"b\"]}",
         "{\"b\":null}|{\"a\":null,\"b\":null}|{\"a\": null, \"b\": null}|{\"\\u0061\":null,\"b\":null}",
         "{}|{\"a\":null}|{\"b\":null,\"a\":null}|{\"b\":null,\"c\":1}"},
        {"{\"type\":\"object\",\"required\":[\"x\"],\"maxItems\":1}", "{\"x\":1}|{\"x\":1,\"y\":2}", "{}|{\"y\":2}"},
        {"{\"properties\":{\"a\":{\"const\":1}},\"additionalProperties\":{\"const\":2},\"type\":\"object\"}",
         "{}|{\"a\":1}|{\"b\":2}|{\"a\":1,\"b\":2,\"c\":2}|{\"ab\":2,\"\":2}", "{\"a\":2}|{\"b\":1}|{\"\\u0061\":2}"},
        {"{\"type\":\"array\",\"prefixItems\":[{\"const\":1},{\"const\":2}],\"items\":{\"const\":3},\"minItems\":1,"
         "\"maxItems\":3}",
         "[1]|[1,2]|[1, 2, 3]", "[]|[2]|[1,3]|[1,2,3,3]"},
        {"{\"enum\":[\"a\",\"ab\",1,2.50,null,{\"x\":1,\"y\":2}]}",
         "\"a\"|\"ab\"|1|1.0|2.5|2.500|null|{\"y\":2,\"x\":1}", "\"b\"|2|true|{\"x\":1}"},
        {"{\"allOf\":[{\"minimum\":3},{\"multipleOf\":2}],\"type\":\"integer\"}", "4|10|4.0", "2|5|3"},
        {"{\"oneOf\":[{\"type\":\"integer\"},{\"minimum\":2}]}", "1|2.5|-7", "3|1.5"},
        {"{\"oneOf\":[{\"$ref\":\"#/$defs/n\"},{\"type\":\"null\"},{\"oneOf\":[{\"$ref\":\"#/$defs/n\"}]}],"
         "\"$defs\":{\"n\":"
         "{\"type\":\"object\",\"properties\":{\"n\":{\"anyOf\":[{\"$ref\":\"#/$defs/n\"},{\"type\":\"null\"}]}}}}}",
         "null", "{}|{\"n\":null}"},
        {"{\"type\":\"string\",\"pattern\":\"^[a-z\xc3\xa9]*$\",\"minLength\":2,\"maxLength\":3}",
         "\"ab\"|\"\xc3\xa9\\u00e9z\"", "\"a\"|\"abcd\"|\"a1\"|\"\xc3\xa8\xc3\xa9\""},
        {"{\"type\":\"string\",\"pattern\":\"^(ab)*$\",\"maxLength\":3}", "\"ab\"|\"\"", "\"abab\"|\"a\""},
        {"{\"type\":\"object\",\"oneOf\":[{\"required\":[\"a\"]},{\"required\":[\"b\"]}]}", "{\"a\":1}|{\"b\":2}",
         "{}|{\"a\":1,\"b\":2}"},
        {"{\"$ref\":\"#/$defs/n\",\"$defs\":{\"n\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/n\"}}}}",
         "[]|[[],[[]]]", "[1]"},
        {"{\"type\":\"object\",\"properties\":{\"self\":{\"$ref\":\"#\"}},\"required\":[\"self\"]}", "",
         "{}|{\"self\":{}}"},
        {"{\"allOf\":[{\"pattern\":\"^a\"},{\"pattern\":\"^b\"}],\"type\":[\"string\",\"null\"]}", "null",
         "\"a\"|\"\""},
        {"{\"format\":\"ipv6\",\"type\":\"string\"}", "\"::1\"|\"1:2:3:4:5:6:7:8\"|\"::ffff:1.2.3.4\"",
         "\":\"|\"1::2::3\"|\"12345::\""},
        {"{\"format\":\"duration\",\"type\":\"string\"}", "\"P1Y2M\"|\"PT5S\"|\"P3W\"", "\"P\"|\"P1S\"|\"PT\""},
        {"{\"title\":\"t\",\"x-note\":1,\"uniqueItems\":false,\"type\":\"null\"}", "null", "1"},
    };
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(rows); i++) { /* a schema that nothing fits has no text that is taken */
        gram_run x;
        gram_begin(&x);
        if (gram_compile(&x, allm__str_of(rows[i].text), 1)) fail_msg("%s: %s", rows[i].text, x.err.message);
        if (rows[i].yes[0]) gram_row_texts(&x, rows[i].text, rows[i].yes, 1);
        gram_row_texts(&x, rows[i].text, rows[i].no, 0);
        gram_end(&x);
    }
}

/* Each keyword, alone and with others; the judgements are those of Python's jsonschema. */
/* For writing: one spelling of what is given is enough, and all are of free text. */
static void schema_writing(void **state) {
    static const gram_row rows[] = {
        {"{\"type\":\"object\",\"properties\":{\"city\":{\"enum\":[\"big\",\"a/b\\\"\\n\\u0001\"]}},"
         "\"required\":[\"city\"]}",
         "{\"city\":\"big\"}|{\"city\": \"a/b\\\"\\n\\u0001\"}|{\"city\":\"a/b\\\"\\u000A\\u0001\"}",
         "{\"c\\u0069ty\":\"big\"}|{\"city\":\"b\\u0069g\"}|"
         "{\"city\":\"a\\/b\\\"\\n\\u0001\"}|{\"city\":\"a/b\\u0022\\n\\u0001\"}"},
        {"{\"type\":\"string\"}", "\"a\\u0069\"|\"\\/\\ud83d\\ude42\\u00e9\"", "\"\\ud83d\""},
        {"{\"type\":\"string\",\"pattern\":\"^[^x]*$\"}", "\"a\\u0069\"|\"\\u00e9\"", "\"\\u0078\""},
        {"{\"type\":\"string\",\"pattern\":\"^[a-z]{2}$\"}", "\"ab\"", "\"a\\u0062\""},
        {"{\"type\":\"integer\"}", "0|-12", "5.0|1.5"},
        {"{\"type\":\"integer\",\"minimum\":3}", "3|400", "3.0|2"},
        {"{\"type\":\"integer\",\"maximum\":3.5}", "3|-400", "3.0|4"},
        {"{\"multipleOf\":0.5,\"type\":\"number\"}", "3|3.5|3.0", "3.25"},
        {"{\"const\":[1,2.5]}", "[1,2.5]|[1, 2.50]", "[1.0,2.5]"},
        {"{\"oneOf\":[{\"type\":\"integer\"},{\"type\":\"number\",\"minimum\":5}]}", "1|5.5", "6|6.0|1.5"},
        {"{\"oneOf\":[{\"type\":\"number\"},{\"const\":1}]}", "2|1.5|2.0", "1|1.0"},
        {"{\"oneOf\":[{\"type\":\"string\"},{\"const\":\"a\"}]}", "\"b\"|\"\\u0062\"", "\"a\"|\"\\u0061\""},
        {"{\"oneOf\":[{\"type\":\"object\"},{\"const\":{\"a\":1}}]}", "{}|{\"b\":1}|{\"\\u0062\":1}|{\"a\":1.5}",
         "{\"a\":1}|{\"\\u0061\":1}|{\"a\":1.0}"},
    };
    (void)state;
    gram_rows(rows, ALLM__COUNT(rows), 2);
}

static void schema_keywords(void **state) {
    static const gram_row rows[] = {
        {"{\"type\":\"object\"}", "{}|{\"a\":[1]}", "[]|1"},
        {"{\"type\":\"array\"}", "[]|[1,\"a\"]", "{}|\"[]\""},
        {"{\"type\":\"string\"}", "\"\"|\"é\"|\"\\u00e9\"", "1|null"},
        {"{\"type\":\"number\"}", "0|-1.5|1e9|1E-2", "\"1\"|true"},
        {"{\"type\":\"integer\"}", "0|-7|12345678901234567890", "0.5|\"1\""},
        {"{\"type\":\"boolean\"}", "true|false", "0|\"true\"|null"},
        {"{\"type\":\"null\"}", "null", "0|\"\""},
        {"{\"type\":[\"string\",\"null\"]}", "\"a\"|null", "1|[]"},
        {"{\"type\":[\"integer\",\"boolean\"],\"minimum\":3}", "3|true", "2|null"},
        {"{\"enum\":[1,\"a\",null,true,[1],{\"k\":\"v\"}]}",
         "1|\"a\"|null|true|[1]|{\"k\":\"v\"}",
         "2|\"b\"|false|[]|{\"k\":\"w\"}"},
        {"{\"enum\":[\"é\\n\\\"\",\"tab\\t\"]}", "\"é\\n\\\"\"|\"tab\\t\"|\"\\u00e9\\u000a\\u0022\"", "\"é\""},
        {"{\"const\":1.5}", "1.5|1.50", "1|2|\"1.5\""},
        {"{\"const\":{\"a\":[1,null]}}", "{\"a\":[1,null]}", "{\"a\":[1]}|{}"},
        {"{\"const\":\"\"}", "\"\"", "\" \"|null"},
        {"{\"const\":\"a\",\"type\":\"string\",\"maxLength\":1}", "\"a\"", "\"b\""},
        {"{\"const\":\"ab\",\"maxLength\":1}", "", "\"ab\"|\"a\""},
        {"{\"enum\":[\"a\",\"bb\",\"ccc\"],\"minLength\":2}", "\"bb\"|\"ccc\"", "\"a\""},
        {"{\"enum\":[1,2,3,4],\"multipleOf\":2,\"maximum\":3}", "2", "1|3|4"},
        {"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"},\"b\":{\"type\":\"string\"}},\"requir"
         "ed\":[\"a\"],\"additionalProperties\":false}",
         "{\"a\":1}|{\"a\":1,\"b\":\"\"}",
         "{}|{\"b\":\"\"}|{\"a\":\"1\"}|{\"a\":1,\"c\":1}"},
        {"{\"type\":\"object\",\"properties\":{\"a\":{}},\"additionalProperties\":{\"type\":\"integer\"}}",
         "{\"a\":\"x\",\"c\":1}|{\"c\":1,\"d\":2}|{}",
         "{\"c\":\"x\"}|{\"a\":1,\"c\":null}"},
        {"{\"type\":\"object\",\"properties\":{\"a\":{}},\"additionalProperties\":true,\"required\":[\"z\"]}",
         "{\"a\":1,\"z\":2}|{\"z\":2}|{\"z\":2,\"y\":[]}",
         "{\"a\":1}|{\"y\":1}"},
        {"{\"type\":\"object\",\"additionalProperties\":{\"type\":\"array\",\"items\":{\"type\":\"null\"}}}",
         "{}|{\"k\":[null]}",
         "{\"k\":[1]}|{\"k\":null}"},
        {"{\"type\":\"object\",\"additionalProperties\":false}", "{}", "{\"a\":1}"},
        {"{\"type\":\"object\",\"required\":[\"a\",\"b\"]}",
         "{\"a\":1,\"b\":2}|{\"a\":1,\"b\":2,\"c\":3}",
         "{\"a\":1}|{}"},
        {"{\"type\":\"object\",\"properties\":{\"é\\\"\":{\"const\":1},\"\":{\"const\":2}},\"required\":[\"é\\"
         "\"\",\"\"],\"additionalProperties\":false}",
         "{\"é\\\"\":1,\"\":2}|{\"\\u00e9\\u0022\":1,\"\":2}",
         "{\"é\":1,\"\":2}|{\"\":2}"},
        {"{\"type\":\"object\",\"properties\":{\"a\":false,\"b\":true},\"additionalProperties\":false}",
         "{}|{\"b\":1}",
         "{\"a\":1}|{\"a\":1,\"b\":1}"},
        {"{\"type\":\"object\",\"properties\":{\"items\":{\"const\":1},\"type\":{\"const\":2},\"$ref\":{\"const\""
         ":3}},\"additionalProperties\":false}",
         "{\"items\":1,\"type\":2,\"$ref\":3}",
         "{\"items\":2}|{\"$ref\":1}"},
        {"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"object\",\"properties\":{\"b\":{\"type\":\"objec"
         "t\",\"properties\":{\"c\":{\"type\":\"null\"}},\"required\":[\"c\"],\"additionalProperties\":false}},\""
         "required\":[\"b\"],\"additionalProperties\":false}},\"required\":[\"a\"],\"additionalProperties\":false"
         "}",
         "{\"a\":{\"b\":{\"c\":null}}}",
         "{\"a\":{\"b\":{}}}|{\"a\":{}}|{}"},
        {"{\"type\":\"array\",\"items\":{\"type\":\"integer\"}}", "[]|[1,2]", "[\"a\"]|[1,null]"},
        {"{\"type\":\"array\",\"items\":false}", "[]", "[1]"},
        {"{\"type\":\"array\",\"items\":true,\"minItems\":1,\"maxItems\":2}", "[1]|[1,[]]", "[]|[1,2,3]"},
        {"{\"type\":\"array\",\"prefixItems\":[{\"type\":\"integer\"},{\"type\":\"string\"}]}",
         "[]|[1]|[1,\"a\"]|[1,\"a\",null]",
         "[\"a\"]|[1,2]"},
        {"{\"type\":\"array\",\"prefixItems\":[{\"const\":1}],\"items\":false}", "[]|[1]", "[2]|[1,1]"},
        {"{\"type\":\"array\",\"prefixItems\":[{\"const\":1},{\"const\":2}],\"minItems\":2,\"items\":{\"const\":3"
         "}}",
         "[1,2]|[1,2,3]|[1,2,3,3]",
         "[1]|[1,2,2]|[]"},
        {"{\"type\":\"array\",\"minItems\":3,\"maxItems\":3,\"items\":{\"type\":\"boolean\"}}",
         "[true,false,true]",
         "[true,true]|[true,true,true,true]"},
        {"{\"type\":\"array\",\"items\":{\"type\":\"array\",\"items\":{\"type\":\"integer\"},\"maxItems\":1},\"ma"
         "xItems\":2}",
         "[[1],[2]]|[[]]",
         "[[1,2]]|[[],[],[]]"},
        {"{\"type\":\"array\",\"maxItems\":0}", "[]", "[1]"},
        {"{\"type\":\"array\",\"minItems\":2,\"maxItems\":1}", "", "[]|[1]|[1,1]"},
        {"{\"type\":\"integer\",\"minimum\":-3,\"maximum\":12}", "-3|0|9|12", "-4|13|100|1.5"},
        {"{\"type\":\"integer\",\"exclusiveMinimum\":0,\"exclusiveMaximum\":3}", "1|2", "0|3|-1"},
        {"{\"type\":\"number\",\"minimum\":0.25,\"maximum\":0.5}", "0.25|0.3|0.5|0.50", "0.24|0.51|0|1"},
        {"{\"type\":\"number\",\"exclusiveMinimum\":-1.5,\"exclusiveMaximum\":-1.25}",
         "-1.4|-1.26|-1.3",
         "-1.5|-1.25|-1|-2"},
        {"{\"type\":\"number\",\"multipleOf\":0.25}", "0|0.5|-0.75|3", "0.3|1.1"},
        {"{\"type\":\"integer\",\"multipleOf\":7,\"minimum\":100}", "105|700", "98|100|101"},
        {"{\"type\":\"integer\",\"minimum\":2,\"maximum\":1}", "", "1|2"},
        {"{\"type\":\"number\",\"minimum\":5,\"exclusiveMinimum\":5}", "5.1|6", "5|4"},
        {"{\"type\":\"string\",\"minLength\":2}", "\"ab\"|\"éé\"|\"🙂🙂\"|\"\\n\\n\"", "\"a\"|\"\"|\"🙂\""},
        {"{\"type\":\"string\",\"maxLength\":2}", "\"\"|\"ab\"|\"🙂é\"|\"\\u00e9\\\\\"", "\"abc\""},
        {"{\"type\":\"string\",\"minLength\":0,\"maxLength\":0}", "\"\"", "\"a\""},
        {"{\"type\":\"string\",\"pattern\":\"^[a-c]+$\"}", "\"abc\"", "\"\"|\"abd\""},
        {"{\"type\":\"string\",\"pattern\":\"[0-9]{2}\"}", "\"a12b\"|\"12\"", "\"1a2\"|\"\""},
        {"{\"type\":\"string\",\"pattern\":\"^(foo|ba[rz])?$\"}", "\"\"|\"foo\"|\"baz\"", "\"fo\"|\"bar \""},
        {"{\"type\":\"string\",\"pattern\":\"^\\\\d{3}-\\\\d{4}$\"}", "\"555-1234\"", "\"5551234\"|\"555-12345\""},
        {"{\"type\":\"string\",\"pattern\":\"^\\\\S+@\\\\S+$\",\"maxLength\":5}",
         "\"a@b\"|\"ab@cd\"",
         "\"a b@c\"|\"abc@de\"|\"@\""},
        {"{\"type\":\"string\",\"pattern\":\"^\\\\u00e9$\"}", "\"é\"|\"\\u00e9\"", "\"e\""},
        {"{\"pattern\":\"^a\"}", "\"a\"|1|null", "\"b\""},
        {"{\"type\":\"string\",\"format\":\"date\"}", "\"2024-02-29\"", "\"2024-02-30\"|\"24-02-01\""},
        {"{\"type\":\"string\",\"format\":\"date-time\"}",
         "\"2024-01-01T00:00:00Z\"|\"2024-01-01T23:59:59.5+02:00\"",
         "\"2024-01-01\"|\"2024-13-01T00:00:00Z\""},
        {"{\"type\":\"string\",\"format\":\"uuid\"}",
         "\"2eb8aa08-aa98-11ea-b4aa-73b441d16380\"",
         "\"2eb8aa08aa9811eab4aa73b441d16380\""},
        {"{\"type\":\"string\",\"format\":\"ipv4\"}", "\"1.2.3.4\"", "\"256.0.0.1\"|\"1.2.3\""},
        {"{\"type\":\"string\",\"format\":\"ipv6\"}", "\"::\"|\"fe80::1\"", "\"1:2\"|\"g::\""},
        {"{\"type\":\"string\",\"format\":\"email\"}", "\"a@b.c\"", "\"a\"|\"a@\""},
        {"{\"anyOf\":[{\"type\":\"integer\"},{\"type\":\"string\",\"maxLength\":1}]}", "1|\"a\"", "\"ab\"|null"},
        {"{\"anyOf\":[{\"minimum\":5},{\"maximum\":1}],\"type\":\"integer\"}", "5|1|-3", "2|4"},
        {"{\"oneOf\":[{\"multipleOf\":2},{\"multipleOf\":3}],\"type\":\"integer\"}", "2|3|4|9", "6|1|12"},
        {"{\"oneOf\":[{\"type\":\"string\",\"maxLength\":2},{\"type\":\"string\",\"minLength\":2}]}",
         "\"a\"|\"abc\"",
         "\"ab\""},
        {"{\"allOf\":[{\"type\":\"integer\"},{\"minimum\":2},{\"maximum\":4}]}", "2|4", "1|5|2.5"},
        {"{\"allOf\":[{\"type\":\"string\",\"minLength\":2},{\"pattern\":\"^x\"}]}", "\"xy\"", "\"x\"|\"yx\""},
        {"{\"allOf\":[{\"anyOf\":[{\"const\":1},{\"const\":2}]},{\"anyOf\":[{\"const\":2},{\"const\":3}]}]}",
         "2",
         "1|3"},
        {"{\"allOf\":[{\"type\":\"array\",\"items\":{\"type\":\"integer\"}},{\"items\":{\"minimum\":3}},{\"maxIte"
         "ms\":2}]}",
         "[3]|[]|[4,5]",
         "[1]|[3,3,3]|[\"a\"]"},
        {"{\"allOf\":[{\"type\":\"object\",\"required\":[\"a\"]},{\"required\":[\"b\"]}]}",
         "{\"a\":1,\"b\":2}",
         "{\"a\":1}|{\"b\":1}"},
        {"{\"anyOf\":[{\"type\":\"object\",\"properties\":{\"k\":{\"const\":\"x\"},\"v\":{\"type\":\"integer\"}},"
         "\"required\":[\"k\",\"v\"],\"additionalProperties\":false},{\"type\":\"object\",\"properties\":{\"k\":{"
         "\"const\":\"y\"},\"v\":{\"type\":\"string\"}},\"required\":[\"k\",\"v\"],\"additionalProperties\":false"
         "}]}",
         "{\"k\":\"x\",\"v\":1}|{\"k\":\"y\",\"v\":\"s\"}",
         "{\"k\":\"x\",\"v\":\"s\"}|{\"k\":\"z\",\"v\":1}"},
        {"{\"anyOf\":[true,false]}", "1|{}", ""},
        {"{\"oneOf\":[true,true]}", "", "1|{}"},
        {"{\"allOf\":[true,false]}", "", "1|null"},
        {"{\"$ref\":\"#/$defs/p\",\"$defs\":{\"p\":{\"type\":\"integer\",\"minimum\":1}}}", "1", "0|\"a\""},
        {"{\"$ref\":\"#/definitions/p\",\"definitions\":{\"p\":{\"type\":\"null\"}}}", "null", "0"},
        {"{\"properties\":{\"a\":{\"$ref\":\"#/properties/b\"},\"b\":{\"type\":\"integer\"}},\"type\":\"object\","
         "\"additionalProperties\":false}",
         "{\"a\":1,\"b\":2}",
         "{\"a\":\"x\"}"},
        {"{\"$ref\":\"#/$defs/a~1b%25c~0d\",\"$defs\":{\"a/b%c~d\":{\"const\":7}}}", "7", "8"},
        {"{\"$ref\":\"#/prefixItems/1\",\"prefixItems\":[{\"type\":\"null\"},{\"type\":\"boolean\"}]}",
         "true",
         "null|[]"},
        {"{\"$defs\":{\"t\":{\"type\":\"object\",\"properties\":{\"v\":{\"type\":\"integer\"},\"l\":{\"$ref\":\"#"
         "/$defs/t\"},\"r\":{\"$ref\":\"#/$defs/t\"}},\"required\":[\"v\"],\"additionalProperties\":false}},\"$re"
         "f\":\"#/$defs/t\"}",
         "{\"v\":1}|{\"v\":1,\"l\":{\"v\":2,\"r\":{\"v\":3}}}",
         "{}|{\"v\":1,\"l\":{}}"},
        {"{\"$ref\":\"#/$defs/a\",\"minimum\":3,\"$defs\":{\"a\":{\"type\":\"integer\",\"maximum\":5}}}",
         "3|5",
         "2|6"},
        {"{\"anyOf\":[{\"type\":\"array\",\"items\":{\"$ref\":\"#\"}},{\"type\":\"integer\"}]}",
         "1|[1,[2,[]]]",
         "\"a\"|[1,\"a\"]"},
        {"{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"$id\":\"x\",\"title\":\"t\",\"descripti"
         "on\":\"d\",\"default\":1,\"examples\":[2],\"$comment\":\"c\",\"deprecated\":true,\"readOnly\":true,\"wr"
         "iteOnly\":false,\"type\":\"integer\"}",
         "1",
         "\"a\""},
    };
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(rows); i++) {
        gram_run x;
        gram_begin(&x);
        if (gram_compile(&x, allm__str_of(rows[i].text), 1)) fail_msg("%s: %s", rows[i].text, x.err.message);
        if (rows[i].yes[0]) gram_row_texts(&x, rows[i].text, rows[i].yes, 1);
        if (rows[i].no[0]) gram_row_texts(&x, rows[i].text, rows[i].no, 0);
        gram_end(&x);
    }
}

static void schema_refused(void **state) {
    static const gram_bad rows[] = {
        {"", ALLM_E_FORMAT, 1, 1, "a value expected"},
        {"{\"type\":\"string\"", ALLM_E_FORMAT, 1, 17, "the text ends"},
        {"[1]", ALLM_E_GRAMMAR, 1, 1, "a schema expected"},
        {"{\"type\":\"strin\"}", ALLM_E_GRAMMAR, 1, 9, "\"type\": the name of a type expected"},
        {"{\n \"not\": {}}", ALLM_E_GRAMMAR, 2, 2, "keyword \"not\" is not supported"},
        {"{\"items\":{\"contains\":{}}}", ALLM_E_GRAMMAR, 1, 11, "contains"},
        {"{\"uniqueItems\":true}", ALLM_E_GRAMMAR, 1, 16, "uniqueItems"},
        {"{\"minLength\":-1}", ALLM_E_GRAMMAR, 1, 14, "a count"},
        {"{\"minItems\":1.5}", ALLM_E_GRAMMAR, 1, 13, "a count"},
        {"{\"multipleOf\":0}", ALLM_E_GRAMMAR, 1, 15, "above 0"},
        {"{\"$ref\":\"#/$defs/x\"}", ALLM_E_GRAMMAR, 1, 9, "leads to no schema"},
        {"{\"$ref\":\"http://a/b\"}", ALLM_E_GRAMMAR, 1, 9, "only"},
        {"{\"$ref\":\"#\"}", ALLM_E_GRAMMAR, 1, 1, "refers to itself"},
        {"{\"$ref\":\"#/$defs/a\",\"$defs\":{\"a\":{\"anyOf\":[{\"$ref\":\"#/$defs/"
         "b\"}]},\"b\":{\"allOf\":[{\"$ref\":\"#/$defs/a\"}]}}}",
         ALLM_E_GRAMMAR, 1, 34, "refers to itself"},
        {"{\"pattern\":\"a(?=b)\"}", ALLM_E_GRAMMAR, 1, 12, "look-ahead"},
        {"{\"pattern\":\"(?<=x)+\"}", ALLM_E_GRAMMAR, 1, 12, "look-behind"},
        {"{\"pattern\":\"(a\"}", ALLM_E_GRAMMAR, 1, 12, "not closed"},
        {"{\"pattern\":\"\\\\bx\"}", ALLM_E_GRAMMAR, 1, 12, "word boundaries"},
        {"{\"pattern\":\"*\"}", ALLM_E_GRAMMAR, 1, 12, "nothing to repeat"},
        {"{\"format\":\"iri\"}", ALLM_E_GRAMMAR, 1, 11, "format \"iri\""},
        {"{\"anyOf\":[]}", ALLM_E_GRAMMAR, 1, 10, "a list of schemas"},
        {"{\"properties\":{\"a\":1}}", ALLM_E_GRAMMAR, 1, 15, "an object of schemas"},
        {"{\"minimum\":1e-300}", ALLM_E_GRAMMAR, 1, 12, "digits"},
    };
    (void)state;
    gram_bads(rows, ALLM__COUNT(rows), 1);
}

/* ---- golden */

static void schema_realistic(void **state) {
    size_t     n;
    int        n_schemas = 0, n_texts = 0;
    char      *json = test_golden("schema/realistic.json", &n);
    test_heap  mem  = {0};
    allm__host host = test_host(&mem);
    allm_error err  = {0};
    allm__json j;
    double     longest = 0;
    (void)state;
    allm__json_init(&j, &host, allm__str(json, n), "realistic.json", 0, &err);
    for (allm__json_begin(&j, ALLM__JSON_ARRAY, "a list"); allm__json_elem(&j); n_schemas++) {
        allm_str key, name = {"", 0}, schema = {"", 0}, lists[2] = {{"[]", 2}, {"[]", 2}};
        gram_run x;
        gram_begin(&x);
        while (allm__json_key(&j, &key)) {
            if (allm__str_eq(key, ALLM__S("name"))) name = gram_raw(&j);
            else if (allm__str_eq(key, ALLM__S("schema"))) schema = gram_raw(&j);
            else if (allm__str_eq(key, ALLM__S("valid"))) lists[1] = gram_raw(&j);
            else if (allm__str_eq(key, ALLM__S("invalid"))) lists[0] = gram_raw(&j);
            else allm__json_skip(&j);
        }
        double t = test_seconds();
        if (gram_compile(&x, schema, 1)) fail_msg("%.*s: %s", (int)name.len, name.ptr, x.err.message);
        longest = ALLM__MAX(longest, test_seconds() - t);
        for (int i = 0; i < 2; i++) n_texts += gram_golden_texts(&x, lists[i], i, name);
        gram_end(&x);
    }
    assert_int_equal(j.status, ALLM_OK);
    allm__json_free(&j);
    free(json);
    printf("             %d schemas, %d texts; compiled in at most %.1f ms\n", n_schemas, n_texts, 1e3 * longest);
    test_time("compiling a schema", longest, 0.05);
    assert_true(n_schemas > 0 && n_texts > 0);
}

/* Does a schema have an object with `properties` and without additionalProperties? Such are closed here. */
static int schema_closes(allm_str schema) {
    test_heap   mem  = {0};
    allm__host  host = test_host(&mem);
    allm_error  err  = {0};
    allm__json  j;
    int         named[ALLM__JSON_DEPTH], more[ALLM__JSON_DEPTH], closes = 0;
    allm__json_init(&j, &host, schema, "schema", 0, &err);
    while (allm__json_next(&j) != ALLM__JSON_EOF) {
        int32_t d = j.depth; /* of the object whose key this is */
        if (j.event == ALLM__JSON_OBJECT) named[d - 1] = more[d - 1] = 0;
        if (j.event == ALLM__JSON_KEY && allm__str_eq(allm__json_text(&j), ALLM__S("properties"))) named[d - 1] = 1;
        if (j.event == ALLM__JSON_KEY && allm__str_eq(allm__json_text(&j), ALLM__S("additionalProperties")))
            more[d - 1] = 1;
        if (j.event == ALLM__JSON_OBJECT_END) closes |= named[d] && !more[d];
    }
    allm__json_free(&j);
    return closes;
}

static void schema_suite_tests(gram_run *x, allm_str tests, allm_str schema, int count[4]) {
    allm__json j;
    int        closes = schema_closes(schema);
    allm__json_init(&j, &x->host, tests, "suite.json", 0, &x->err);
    for (allm__json_begin(&j, ALLM__JSON_ARRAY, "a list"); allm__json_elem(&j);) {
        allm_str  key;
        int       valid = 0, order = 1;
        allm__buf text  = {&x->host, NULL, 0, 0, 0, 0};
        while (allm__json_key(&j, &key)) {
            if (allm__str_eq(key, ALLM__S("valid"))) allm__json_get_bool(&j, "valid", &valid);
            else if (allm__str_eq(key, ALLM__S("order"))) allm__json_get_bool(&j, "order", &order);
            else if (allm__str_eq(key, ALLM__S("instance"))) allm__json_next(&j), allm__json_string(&j, &text);
            else allm__json_skip(&j);
        }
        int takes = gram_takes(x, allm__str(text.ptr, text.len));
        if (!order && (valid || !takes)) count[2]++;
        else if (takes == valid) count[1]++;
        else if (valid && closes) count[3]++;
        else
            fail_msg("%.*s: %.*s is %s", (int)schema.len, schema.ptr, (int)text.len, text.ptr,
                     takes ? "taken" : "not taken");
        allm__buf_free(&text);
    }
    allm__json_free(&j);
}

static void schema_suite(void **state) {
    size_t     n;
    int        count[4] = {0, 0, 0, 0},
        refused         = 0; /* schemas, texts as they should be, in another order, of closed objects */
    char      *json = test_golden("schema/suite.json", &n);
    test_heap  mem  = {0};
    allm__host host = test_host(&mem);
    allm_error err  = {0};
    allm__json j;
    (void)state;
    allm__json_init(&j, &host, allm__str(json, n), "suite.json", 0, &err);
    for (allm__json_begin(&j, ALLM__JSON_ARRAY, "a list"); allm__json_elem(&j); count[0]++) {
        allm_str key, schema = {"", 0}, tests = {"[]", 2};
        int      unsupported = 0;
        gram_run x;
        gram_begin(&x);
        while (allm__json_key(&j, &key)) {
            if (allm__str_eq(key, ALLM__S("schema"))) schema = gram_raw(&j);
            else if (allm__str_eq(key, ALLM__S("tests"))) tests = gram_raw(&j);
            else if (allm__str_eq(key, ALLM__S("unsupported"))) gram_raw(&j), unsupported = 1;
            else allm__json_skip(&j);
        }
        allm_status status = gram_compile(&x, schema, 1);
        if (status && (!unsupported || status != ALLM_E_GRAMMAR || !x.err.line))
            fail_msg("%.*s: %s", (int)schema.len, schema.ptr, x.err.message);
        if (status) refused++;
        else schema_suite_tests(&x, tests, schema, count);
        gram_end(&x);
    }
    assert_int_equal(j.status, ALLM_OK);
    allm__json_free(&j);
    free(json);
    printf(
        "             %d schemas, %d refused; %d texts, %d more in another order, %d in objects that are closed here\n",
        count[0], refused, count[1], count[2], count[3]);
    assert_true(count[1] > 0);
}

/* ---- numbers: every bound against plain arithmetic, in quarters */

static void schema_numbers(void **state) {
    static const char *const lows[] = {"\"minimum\"", "\"exclusiveMinimum\""}, *const highs[] = {
                                                                                   "\"maximum\"",
                                                                                   "\"exclusiveMaximum\""};
    (void)state;
    for (int round = 0; round < 300; round++) {
        int64_t lo = (int64_t)test_random_below(500) - 250, hi = lo + (int64_t)test_random_below(300),
                of  = 1 + (int64_t)test_random_below(20);
        int open_lo = (int)test_random_below(2), open_hi = (int)test_random_below(2), has = (int)test_random_below(8),
            integer = (int)test_random_below(2);
        char     schema[256], text[64];
        gram_run x;
        int      n = snprintf(schema, sizeof schema, "{\"type\":\"%s\"", integer ? "integer" : "number");
        if (has & 1) n += snprintf(schema + n, sizeof schema - (size_t)n, ",%s:%.2f", lows[open_lo], (double)lo / 4);
        if (has & 2) n += snprintf(schema + n, sizeof schema - (size_t)n, ",%s:%.2f", highs[open_hi], (double)hi / 4);
        if (has & 4) n += snprintf(schema + n, sizeof schema - (size_t)n, ",\"multipleOf\":%.2f", (double)of / 4);
        snprintf(schema + n, sizeof schema - (size_t)n, "}");
        gram_begin(&x);
        if (gram_compile(&x, allm__str_of(schema), 1)) fail_msg("%s: %s", schema, x.err.message);
        for (int64_t v = -420; v <= 420; v++) {
            int fits = !(integer && v % 4) && !((has & 4) && v % of);
            if (has & 1) fits = fits && (open_lo ? v > lo : v >= lo);
            if (has & 2) fits = fits && (open_hi ? v < hi : v <= hi);
            for (int form = 0; form < 3; form++) {
                size_t len =
                    (size_t)snprintf(text, sizeof text, form ? form == 1 ? "%.2f" : "%.4f" : "%.15g", (double)v / 4);
                if (gram_takes(&x, allm__str(text, len)) != fits) fail_msg("%s: %s", schema, text);
            }
        }
        gram_end(&x);
    }
}

/* ---- hostile schemas */

static void schema_hostile_all(void *arg) {
    test_heap  mem  = {0};
    allm__host host = test_host(&mem);
    allm__buf  b    = {&host, NULL, 0, 0, 0, 0};
    char       t[96];
    (void)arg;
    allm__buf_puts(&b, "{\"enum\":[");
    for (int i = 0; i < 100000; i++)
        allm__buf_put(&b, t, (size_t)snprintf(t, sizeof t, "%s\"code %d\"", i ? "," : "", i));
    allm__buf_puts(&b, "]}");
    gram_hostile_one("100000 values", &b, "\"code 99999\"", "\"code 100000\"", 1);
    b.len = 0, gram_put(&b, "{\"items\":", 5000), allm__buf_puts(&b, "{}"), gram_put(&b, "}", 5000);
    gram_hostile_one("5000 nested schemas", &b, NULL, NULL, 1);
    for (int n = 1000; n <= 100000; n *= 100) { /* each schema refers to the next */
        b.len = 0, allm__buf_puts(&b, "{\"$ref\":\"#/$defs/0\",\"$defs\":{");
        for (int i = 0; i < n; i++)
            allm__buf_put(&b, t, (size_t)snprintf(t, sizeof t, "\"%d\":{\"$ref\":\"#/$defs/%d\"},", i, i + 1));
        allm__buf_put(&b, t, (size_t)snprintf(t, sizeof t, "\"%d\":{\"type\":\"null\"}}}", n));
        gram_hostile_one("a chain of references", &b, n > 1000 ? NULL : "null", "1", 1);
    }
    b.len = 0, gram_put(&b, "{\"items\":", 90), allm__buf_puts(&b, "{}"), gram_put(&b, "}", 90);
    gram_hostile_one("90 nested schemas", &b, "[[[]]]", "[1", 1);
    b.len = 0, allm__buf_puts(&b, "{\"type\":\"string\",\"maxLength\":2147483648,\"minLength\":1}");
    gram_hostile_one("maxLength 2^31", &b, "\"a\"", "\"\"", 1);
    b.len = 0, allm__buf_puts(&b, "{\"pattern\":\"^"), gram_put(&b, "(", 60000), allm__buf_puts(&b, "a"),
    gram_put(&b, ")", 60000), allm__buf_puts(&b, "$\"}");
    gram_hostile_one("60000 groups in a pattern", &b, "\"a\"", "\"b\"", 1);
    b.len = 0, allm__buf_puts(&b, "{\"pattern\":\"^"), gram_put(&b, "(", 2000), allm__buf_puts(&b, "a"),
    gram_put(&b, "+)+", 2000), allm__buf_puts(&b, "$\"}");
    gram_hostile_one("2000 repetitions in each other", &b, NULL, NULL, 1);
    b.len = 0,
    allm__buf_puts(&b, "{\"type\":\"string\",\"pattern\":\"^((a{1,1000}){1,1000}){1,1000}$\",\"maxLength\":5000}");
    gram_hostile_one("counts in counts", &b, "\"aaa\"", "\"aab\"", 1);
    for (int kind = 0; kind < 2; kind++) {
        b.len = 0, allm__buf_puts(&b, kind ? "{\"oneOf\":[" : "{\"anyOf\":[");
        for (int i = 0; i < 10000; i++)
            allm__buf_put(&b, t, (size_t)snprintf(t, sizeof t, "%s{\"const\":\"c%d\"}", i ? "," : "", i));
        allm__buf_puts(&b, "]}");
        gram_hostile_one(kind ? "oneOf of 10000" : "anyOf of 10000", &b, kind ? NULL : "\"c9999\"", "\"d\"", 1);
    }
    b.len = 0, allm__buf_puts(&b, "{\"type\":\"object\",\"properties\":{");
    for (int i = 0; i < 5000; i++)
        allm__buf_put(&b, t, (size_t)snprintf(t, sizeof t, "%s\"p%d\":{\"type\":\"null\"}", i ? "," : "", i));
    allm__buf_puts(&b, "}}");
    gram_hostile_one("5000 optional properties", &b, "{\"p0\":null,\"p4999\":null}", "{\"p1\":null,\"p0\":null}", 1);
    b.len = 0, allm__buf_puts(&b, "{\"allOf\":[{}");
    for (int i = 0; i < 20; i++)
        allm__buf_puts(&b, ",{\"anyOf\":[{\"minimum\":1},{\"maxLength\":3},{\"maxItems\":2}]}");
    allm__buf_puts(&b, "]}");
    gram_hostile_one("3^20 combinations", &b, NULL, NULL, 1);
    b.len = 0,
    allm__buf_puts(
        &b,
        "{\"allOf\":[{\"pattern\":\"^(a|b)*a(a|b){18}$\"},{\"pattern\":\"^(a|b)*b(a|b){18}$\"}],\"type\":\"string\"}");
    gram_hostile_one("an intersection of 2^19 states", &b, NULL, "\"ab\"", 1);
    allm__buf_free(&b);
}

static void schema_hostile(void **state) {
    (void)state;
    schema_hostile_all(NULL);
    size_t depth = test_stack_depth(schema_hostile_all, NULL);
    if (!TEST_SANITIZED) assert_true(depth < 64 << 10);
}

static void schema_memory(void **state) {
    static char text[] =
        "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\",\"pattern\":\"^x+$\",\"maxLength\":9},"
        "\"b\":{\"oneOf\":[{\"type\":\"integer\"},{\"minimum\":2}]},\"c\":{\"$ref\":\"#\"},\"d\":{\"enum\":[1,\"q\",{"
        "\"z\":[]}]}}}";
    (void)state;
    test_fail_each(gram_memory_body, text);
}

static const struct CMUnitTest test_schema[] = {
    cmocka_unit_test(schema_table),     cmocka_unit_test(schema_keywords), cmocka_unit_test(schema_refused),
    cmocka_unit_test(schema_writing),
    cmocka_unit_test(schema_realistic), cmocka_unit_test(schema_suite),    cmocka_unit_test(schema_numbers),
    cmocka_unit_test(schema_hostile),   cmocka_unit_test(schema_memory),
};
