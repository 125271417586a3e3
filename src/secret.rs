//! Passwords and keys: a type that does not print, compares in constant time and wipes itself.

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// A secret text. It has no Debug and no Display on purpose: whoever needs it says [`Secret::reveal`].
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    pub fn new(text: String) -> Secret {
        Secret(Zeroizing::new(text))
    }

    /// The text itself, for the one place that has to send or hash it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// Are the two equal? In a time that depends on their lengths only.
pub fn same(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::{Debug, Display};
    use std::marker::PhantomData;

    struct Text<T>(PhantomData<T>);
    struct Log<T>(PhantomData<T>);

    /// What holds for a type of which the other one does not.
    trait Hidden {
        const IS_SHOWN: bool = false;
    }
    impl<T> Hidden for Text<T> {}
    impl<T> Hidden for Log<T> {}
    impl<T: Display> Text<T> {
        const IS_SHOWN: bool = true;
    }
    impl<T: Debug> Log<T> {
        const IS_SHOWN: bool = true;
    }

    #[test]
    fn a_secret_is_wiped_when_it_is_dropped() {
        // What memory holds afterwards no safe code can read: the type has to promise it, or this does not compile.
        fn promised<T: zeroize::ZeroizeOnDrop>(_: &T) {}
        promised(&Secret::new(String::new()).0);
    }

    #[test]
    fn a_secret_can_neither_be_formatted_nor_be_part_of_what_is() {
        assert_eq!([Text::<String>::IS_SHOWN, Log::<String>::IS_SHOWN], [true; 2]);
        assert_eq!([Text::<Secret>::IS_SHOWN, Log::<Secret>::IS_SHOWN, Log::<Option<Secret>>::IS_SHOWN], [false; 3]);
    }
}
