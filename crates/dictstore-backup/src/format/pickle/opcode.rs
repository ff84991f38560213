//! The opcodes we read and write, as `pickletools` names them.

macro_rules! opcodes {
    ($($name:ident = $byte:expr;)*) => {
        $(pub(super) const $name: u8 = $byte;)*
    };
}

opcodes! {
    // Control.
    PROTO = 0x80; FRAME = 0x95; STOP = b'.'; MARK = b'('; POP = b'0'; POP_MARK = b'1'; DUP = b'2';
    // Numbers and the like.
    NONE = b'N'; NEWTRUE = 0x88; NEWFALSE = 0x89; INT = b'I'; BININT = b'J'; BININT1 = b'K'; BININT2 = b'M';
    LONG = b'L'; LONG1 = 0x8A; LONG4 = 0x8B; FLOAT = b'F'; BINFLOAT = b'G';
    // Texts and bytes.
    UNICODE = b'V'; BINUNICODE = b'X'; SHORT_BINUNICODE = 0x8C; BINUNICODE8 = 0x8D; BINBYTES = b'B';
    SHORT_BINBYTES = b'C'; BINBYTES8 = 0x8E;
    // Containers.
    EMPTY_LIST = b']'; APPEND = b'a'; APPENDS = b'e'; LIST = b'l'; EMPTY_TUPLE = b')'; TUPLE = b't'; TUPLE1 = 0x85;
    TUPLE2 = 0x86; TUPLE3 = 0x87; EMPTY_DICT = b'}'; DICT = b'd'; SETITEM = b's'; SETITEMS = b'u'; EMPTY_SET = 0x8F;
    ADDITEMS = 0x90; FROZENSET = 0x91;
    // Classes.
    GLOBAL = b'c'; STACK_GLOBAL = 0x93; REDUCE = b'R'; BUILD = b'b'; NEWOBJ = 0x81;
    // The memo.
    PUT = b'p'; BINPUT = b'q'; LONG_BINPUT = b'r'; MEMOIZE = 0x94; GET = b'g'; BINGET = b'h'; LONG_BINGET = b'j';
}
