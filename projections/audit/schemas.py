"""The JSON Schemas of events that were ever published, by SHA-256. A new one is added, an old one stays.

A test names the line that is missing here when a type gets a field.
"""

from typing import Final

PUBLISHED: Final[dict[str, tuple[str, ...]]] = {
    "CodeRequested.v1": (
        "ce7b6141983dd677fd56800d824f86eeff70fc8a35a5c24aba74b2004c66cf34",
        "15f714f1e6a1365df592e1e0f0bb7c46e38c71c734fecb585ceb91233b9c2c5c",
    ),
    "CodeSent.v1": (
        "7bd1f2f8ecf8d01b133e58a44f775247a0201ef5a309a9bebd8f420a222e7b39",
        "eadfcb6c8d1a20b2a99cfae7e429dc76b238a042be95f298841ac99000221e1c",
    ),
    "SendUnconfirmed.v1": ("36a66ffbde212fd254db1e5c0bfae4912266da59498805d666f307330cfd2b4b",),
    "SendFailed.v1": (
        "a3724dfcca7705073b672b3a6336ee0b74c87be72124ec4b5c9f2b614c36cb85",
        "4a877c6d5061593997f70a6c9c1d36399157bb80da94a9312cbbdaf3c3361a25",
    ),
    "DeliveryReported.v1": ("19a419ab2ae810a52c91afa3f5f605717670081c62771902f9d0d738bf51b625",),
    "AttemptFailed.v1": ("e8cc02f199022da9c49b41109747ccb9bd99c8bbaba20df88daab2a5fd660f40",),
    "Verified.v1": ("0249a6b88b0ecfce00396d4540096502d57fcd3cf78cf57d3c3e7f38483d6efc",),
    "TokenRedeemed.v1": ("68102a287e96ce4958f2617a18a89e6d41db02add67be2789932b4aa46f87a39",),
    "VerificationCancelled.v1": ("d3369c76aafe87ad8ac45f1092adfb5775afa5576ac512e9114d63a38e871d3c",),
    "AccountOpened.v1": ("0d60ffe2492797a715b3ca7bcbdfe81e36d243951ec21310f607c221ba59fc42",),
    "CreditAdded.v1": ("7975a7ebabf117a942ee907431f822858559ed46f8b79943006f6aee49af2887",),
    "CreditDebited.v1": (
        "1165bd1f82ab111a18ff7de921eda7f30320876d2c7a36395a47afbe0ef4deb1",
        "4e829b3f654f6d2c4759d7c8fbe71258599beefc697b55d18ebaa570b7e25566",
    ),
    "CreditRefunded.v1": ("c68a2c9d31021a79f3a6e0ce1a47af7bed07e7a2fa988f5ad44c15cb3d89f8aa",),
    "KeyIssued.v1": ("4ee3b274a11641dfcddfeb0c4f74d03934560470649ca4a36424197c7e47bff1",),
    "KeyRevoked.v1": ("fe9bfc5d5aae9d7704a2f7f2f8b17560daf88ad8d7f58c4be210dc2cae20547a",),
    "KeyRestricted.v1": ("6eb56d1850f70a07d4808a20bc89c5291bff87d658a8f1cd94d91ed56e0893d5",),
    "PolicyChanged.v1": ("721b1faa2a1b1aa6eebcf135d5feb73dbbe373233a83094903813cc4bb5b63df",),
    "ListChanged.v1": ("6e38a64b132fef0f9e7fa387d9ad9b3385d7e080a5454d115e52cb3e0db4f071",),
    "AccountSuspended.v1": ("4542c6809e12848f6477e600b55405b91bb7314c6e068d4dda4379f290c3941c",),
    "AccountResumed.v1": ("3be2846a19650f06ed6321fe7afb9d38326b6ee56192f5759d3a789abde9d071",),
    "RateCardAdopted.v1": ("a7731df89741dc49c16b5f41ed7f7bf9e3900fa9b7739944d344eaff688a9f15",),
    "StatementIssued.v1": ("42734e6120c512003276d80611a16ba59693749de26da675f59e1ef280a3255d",),
    "ClockAdvanced.v1": ("e56efd755093dc589e5f86908e02dd2b1f13cf81d8ccc6c404363c28baafd4a0",),
    "WebhookEndpointAdded.v1": ("ac587026b1862dff6aac750f8eed08565cbdac357f906cb06c50e01eeb8c30b8",),
    "WebhookSecretRotated.v1": ("c893435856129e04a15e4188679f4915be1ae6dfac45d44d4e45c7697adf02f8",),
    "WebhookEndpointDisabled.v1": ("90a222a26c9489cebcd8516014828ac985749ec5fd71135991743fd0fddbd9ee",),
    "WebhookEndpointEnabled.v1": ("07a76f2eceb6e4073a2655aa29b4f9a7b4d4e74b97e6f514d8ba621e8027de47",),
    "WebhookEndpointRemoved.v1": ("9bb6f6f45c53d9b58834ed54d8fdd6de056d9dad69a5be56712671935c77c500",),
    "TemplateChanged.v1": ("52cbf49181a521241282b8b0b54f64d68fd75fb5d0e8658f3d617c25def7e905",),
    "TemplateRemoved.v1": ("1a965ca930b7d6fdbfacd37cf9083c5e471dba157e487c633c164ff0e65a8943",),
    "WordingChanged.v1": ("55c69835d0f0e144dd9cbd169f1bece452e23e8a51fc2d85e3f092f35fe4788d",),
    "SenderChanged.v1": ("d9660519f93d731fc5ba85496759d01eb07a8c1847edf70de68aac33112bbc41",),
    "SenderRemoved.v1": ("da8f9e00c74f4620c6ec2164c47fab1e94365ec68eb33c2cc5b019a063662b22",),
}
