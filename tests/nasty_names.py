"""Class names that are easily changed when written to files."""

# All differ after Unicode normalization; some only in white space.
NASTY_NAMES = (
    *("cat", "cat ", " cat", "cat\u00a0", "\u00a0cat", "\u3000cat", "ca t", "ca\u00a0t", "\tcat"),
    *("two\nlines", "two\rlines", "two\r\nlines", "two\x0blines", "two\x0clines", "two\x1clines"),
    *("two\x85lines", "two\u2028lines", "two\u2029lines", "line\n", "\rline", "bell\x07", "\x7f"),
    *('"quoted"', 'a "b"', '"', "'", "'cat'", "#cat", "=1+1", "+1", "-1", "@cat", "\\", "a\\nb"),
    *("a,b", "a;b", "a\tb", ",", "1", "01", "1.0", "1e5", "0x10", "nan", "NA", "None", "null"),
    *("true", "{}", '{"a": 1}', "[1]", '""', "path", "label", "sep=;", "3:cat", "\ufeffcat"),
    *("cat\ufeff", "cat\u200b", "cat\u200d", "\u202ecat", "caf\u00e9", "e\u0301cole", "\U0001f431"),
    *("\u0938\u094d\u0924\u094d\u0930\u0940", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"),
    *("<b>", "&amp;", "%s", "{x}", "$HOME", "..cat", "CON", "~", "*", "?"),
)
