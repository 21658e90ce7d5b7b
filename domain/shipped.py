"""The texts that are sent where an account has no wording of its own: one a language, short, with no link and no name.

They are written to fit one segment with a code of ten digits. `min.`, `мин.` and their like are no plurals, so that any
number of minutes may stand before them. A language of two scripts or two customs has an entry for each.
"""

from functools import lru_cache
from typing import Final

ENGLISH: Final = "en"
SHIPPED: Final = {
    "en": "{code} is your verification code. It is valid for {minutes} minutes. Do not share it.",
    "ar": "رمز التحقق: {code}. صالح لمدة {minutes} د. لا تشاركه مع أحد.",
    "bg": "Код за потвърждение: {code}. Валиден {minutes} мин. Не го споделяйте.",
    "bn": "যাচাইকরণ কোড: {code}। {minutes} মিনিট বৈধ। কাউকে জানাবেন না।",
    "cs": "Ověřovací kód: {code}. Platí {minutes} min. S nikým ho nesdílejte.",
    "da": "{code} er din bekræftelseskode. Den gælder i {minutes} min. Del den ikke med nogen.",
    "de": "{code} ist Ihr Bestätigungscode. Er gilt {minutes} Min. Geben Sie ihn nicht weiter.",
    "el": "Κωδικός επαλήθευσης: {code}. Ισχύει {minutes} λ. Μην τον κοινοποιήσετε.",
    "es": "Tu código es {code}. Vence en {minutes} min. No lo compartas.",
    "et": "Kinnituskood: {code}. Kehtib {minutes} min. Ära jaga seda kellegagi.",
    "fa": "کد تأیید: {code}. اعتبار: {minutes} دقیقه. آن را به کسی ندهید.",
    "fi": "{code} on vahvistuskoodisi. Se on voimassa {minutes} min. Älä jaa sitä kenellekään.",
    "fil": "{code} ang iyong verification code. May bisa ito nang {minutes} minuto. Huwag itong ibahagi.",
    "fr": "{code} est votre code de vérification. Il est valable {minutes} min. Ne le partagez pas.",
    "he": "קוד האימות: {code}. בתוקף ל-{minutes} דק'. אין לשתף אותו.",
    "hi": "सत्यापन कोड: {code}। {minutes} मिनट तक मान्य। किसी को न बताएँ।",
    "hr": "Kod za potvrdu: {code}. Vrijedi {minutes} min. Nemojte ga dijeliti.",
    "hu": "Ellenőrző kód: {code}. {minutes} percig érvényes. Ne adja ki senkinek.",
    "id": "{code} adalah kode verifikasi Anda. Berlaku {minutes} menit. Jangan bagikan kepada siapa pun.",
    "it": "{code} è il tuo codice di verifica, valido per {minutes} min. Non condividerlo.",
    "ja": "認証コード: {code}。{minutes}分間有効です。誰にも教えないでください。",
    "ko": "인증번호: {code}. {minutes}분간 유효합니다. 타인에게 알려주지 마세요.",
    "lt": "Patvirtinimo kodas: {code}. Galioja {minutes} min. Niekam jo neatskleiskite.",
    "lv": "Verifikācijas kods: {code}. Derīgs {minutes} min. Neizpaudiet to.",
    "ms": "{code} ialah kod pengesahan anda. Sah selama {minutes} minit. Jangan kongsi dengan sesiapa.",
    "nb": "{code} er bekreftelseskoden din. Den gjelder i {minutes} min. Ikke del den med noen.",
    "nl": "{code} is je verificatiecode. De code is {minutes} min. geldig. Deel hem met niemand.",
    "pl": "Kod weryfikacyjny: {code}. Wygasa za {minutes} min. Nie podawaj go nikomu.",
    "pt": "Seu código é {code}. Vale por {minutes} min. Não o compartilhe.",
    "pt-PT": "O seu código é {code}. Válido por {minutes} min. Não o partilhe.",
    "ro": "Codul de verificare: {code}. Expiră în {minutes} min. Nu îl divulga.",
    "ru": "Код подтверждения: {code}. Действует {minutes} мин. Не сообщайте его.",
    "sk": "Overovací kód: {code}. Platí {minutes} min. Nikomu ho neprezraďte.",
    "sl": "Potrditvena koda: {code}. Velja {minutes} min. Ne delite je z nikomer.",
    "sv": "{code} är din verifieringskod. Den gäller i {minutes} min. Dela den inte med någon.",
    "sw": "Msimbo wako wa uthibitishaji ni {code}. Ni halali kwa dakika {minutes}. Usimpe mtu yeyote.",
    "th": "รหัสยืนยัน: {code} ใช้ได้ {minutes} นาที ห้ามบอกผู้อื่น",
    "tr": "Doğrulama kodunuz: {code}. {minutes} dk geçerli. Kimseyle paylaşmayın.",
    "uk": "Код підтвердження: {code}. Дійсний {minutes} хв. Не повідомляйте його.",
    "ur": "تصدیقی کوڈ: {code}۔ {minutes} منٹ تک درست۔ کسی کو نہ بتائیں۔",
    "vi": "Mã xác minh: {code}. Hiệu lực {minutes} phút. Không chia sẻ với ai.",
    "zh": "验证码：{code}，{minutes}分钟内有效。请勿告知他人。",
    "zh-Hant": "驗證碼：{code}，{minutes}分鐘內有效。請勿告知他人。",
}
"""By BCP 47 tag."""
_NAMED_OTHERWISE: Final = {"in": "id", "iw": "he", "nn": "nb", "no": "nb", "tl": "fil"}
_WRITTEN_AS: Final = {
    "zh-TW": "zh-Hant",
    "zh-HK": "zh-Hant",
    "zh-MO": "zh-Hant",
    "pt-AO": "pt-PT",
    "pt-MZ": "pt-PT",
}


def canonical(locale: str) -> str:
    """A tag as BCP 47 recommends to spell it: `zh-Hant-TW`."""
    language, *rest = locale.split("-")
    language = language.lower()
    spelled = [_NAMED_OTHERWISE.get(language, language)]
    for part in rest:
        if len(part) == 4 and part.isalpha():
            spelled.append(part.title())
        elif len(part) == 2 and part.isalpha():
            spelled.append(part.upper())
        else:
            spelled.append(part.lower())
    return "-".join(spelled)


@lru_cache(maxsize=1_024)
def candidates(locale: str) -> tuple[str, ...]:
    """The tags to look for, in order: RFC 4647 lookup, with the script that a region writes in before its language."""
    parts = canonical(locale).split("-")
    found: list[str] = []
    while parts:
        tag = "-".join(parts)
        found.append(tag)
        if tag in _WRITTEN_AS:
            found.append(_WRITTEN_AS[tag])
        parts.pop()
        while parts and len(parts[-1]) == 1:
            parts.pop()
    return tuple(found)
