"""The words that introduce a code, by language; labels.py has the labels of other numbers.

An entry is a word or a phrase. `_` matches a space, hyphen or apostrophe. A `~` at an end lets the entry match part of
a longer word (passcode, Bestätigungscode, kodunuz). Case and accents are ignored. Of two entries that start at the same
position, the longer one wins, so "promo code" is not a code although "code" is."""

# prose: skip file - word lists in many languages
from __future__ import annotations

# prose: skip file - words of many languages

CODE = {  # names for a code near a number
    "en": "~code ~codes passcode~ otp otps totp pin pins pincode mpin upin puk tac tan cvv ~password ~passphrase"
    " 2fa mfa token tokens one_time_number verification_number security_number secret_number",
    "es, ca, gl": "codigo~ clave claves contraseña~ contrasena~ contrasenya contrasinal codi codigo_de_operacion"
    " codigo_de_transaccion codigo_de_compra codigo_de_viaje codigo_de_entrega codigo_de_paquete",
    "pt": "codigo~ senha~ chave palavra_passe palavra_chave codigo_da_corrida codigo_de_transacao codigo_da_compra"
    " codigo_da_entrega codigo_da_conta",
    "fr": "code~ mot_de_passe identifiant_unique cle_d_acces code_de_transaction code_de_paiement code_de_livraison"
    " code_colis code_d_operation",
    "de": "~code~ ~kennwort ~passwort ~losungswort ~geheimzahl ~kennzahl ~einmalkennung mtan smstan sms_tan pushtan"
    " ~pushtan photo_tan ~pin mobiletan mobile_tan chiptan chip_tan ~phototan ~smstan",
    "it": "codice~ codici parola_chiave codice_operazione codice_pagamento codice_consegna codice_transazione",
    "nl, af": "~code~ ~wachtwoord ~cijfercode ~toegangscode wagwoord ~kode",
    "sv, no, da": "~kod~ ~kode~ lösenord~ ~passord~ ~adgangskode engangskode~ ~siffran",
    "fi, et": "~koodi~ ~kood~ salasana~ ~tunnusluku~ ~avainluku~ ~kertakäyttö~ parool~ salasõna~",
    "is": "~kóði~ ~kóða~ ~kóðinn ~númerið_þitt lykilorð~ aðgangsorð~ auðkennisnúmer~",
    "pl": "kod~ hasl~ hasel kod_operacji kod_transakcji kod_platnosci kod_przesylki kod_paczki",
    "cs, sk": "kod~ ~kod hesl~",
    "hu": "~kod~ jelsz~ azonosito_kod~ jelkod~",
    "ro": "cod codul~ codului parol~",
    "hr, sr, bs, sl": "kod~ sifr~ lozink~ gesl~ zaporka zaporke код~ шифр~ лозинк~",
    "sq, lt, lv": "kod~ parol~ slaptazod~ fjalekalim~ fjalkalim~ fjalekalimi",
    "ga, gd, cy, mt, eu": "chod gcod pasfhocal focal_faire cyfrinair kodici~ pasahitza~ gako",
    "ru": "код~ ~код парол~ пин пинкод пин_код ключ_доступа код_операции код_платежа код_перевода код_посылки"
    " код_поездки код_покупки код_оплаты",
    "uk, be": "код~ парол~ пін пінкод пін_код код_операції код_платежу код_посилки код_поїздки",
    "bg, mk": "код~ парол~ лозинк~ пин ~код",
    "kk, ky, uz, tg, tt": "код~ кодыңыз кодуңуз құпиясөз~ құпия_сөз~ сырсөз~ сыр_сөз~ рамз~ парол~ maxfiy_so",
    "mn": "код~ нууц_үг~ нууц_код~ нууц_дугаар~",
    "el": "κωδικ~ κωδ συνθηματικ~",
    "el in Latin letters": "kodik~ kwdik~ sunthimatik~ synthimatik~",
    "ru, uk, bg in Latin letters": "kod~ parol~ pin_kod~ pinkod~ pass_kod",
    "tr, az, uz": "~kod~ sifre~ ~şifre~ ~sifre~ parol~ ~parola~ tek_kullanımlık onay_numara~ gizli_söz~",
    "ka, hy": "~კოდ~ პაროლ~ კოდ~ կոդ~ ~կոդ~ ծածկագիր~ գաղտնաբառ~ գաղտնագիր~",
    "ka, hy in Latin letters": "kodi~ kody gaghtnabar~",
    "ar": "~رمز~ ~كود~ ~كلمة_المرور~ ~كلمة_السر~ ~كلمة_مرور~ ~كلمة_سر~ ~الرقم_السري~ ~رقم_سري~ ~رقمك_السري~"
    " ~باسورد~ ~رموز~ ~رمز_الرحلة~ ~رمز_العملية~ ~رمز_المعاملة~ ~رمز_الشحنة~ ~رمز_الاستلام~",
    "ar in Latin letters": "ramz~ ar_ramz~ alramz~ raqam_sirri~ kalimat_al_sir kalimat_al_murur",
    "fa, ckb, ps": "~رمز~ ~کد~ ~گذرواژه~ ~کلمه_عبور~ ~کود~ ~کۆد~ ~وشه_نهێنی~ ~پټنوم~ ~وشەی_نهێنی~",
    "fa in Latin letters": "ramz~ kode~ gozarvazhe~",
    "ur": "~کوڈ~ ~پاس_ورڈ~ ~پاسورڈ~ پن او_ٹی_پی اوٹی_پی اوٹیپی ~کوڈز~",
    "he": "~קוד~ ~סיסמ~",
    "he in Latin letters": "sisma~",
    "hi, mr, ne": "~कोड~ ~ओटीपी~ ओ_टी_पी ओ.टी.पी. ~पासवर्ड~ ~पासकोड~ पिन कूट~ गुप्त_संख्या गोप्य_नम्बर संकेतशब्द~",
    "bn, as": "~কোড~ ~ওটিপি~ ও_টি_পি পাসওয়ার্ড~ ~পাসওয়ার্ড~ পিন~ ~ক’ড~ ~গোপন_নম্বর~",
    "ta": "~குறியீடு~ ~குறியீட்டு~ ~குறியீட்டை~ ஒடிபி~ ஓடிபி~ ~கடவுச்சொல்~ ~கடவுக்குறியீடு~ ~கோட்~ பின்",
    "te, kn": "~కోడ్~ ~ఓటీపీ~ ~ఓటిపి~ ~పాస్‌వర్డ్~ పిన్ ~సంకేతం~ ~ಕೋಡ್~ ~ಒಟಿಪಿ~ ~ಓಟಿಪಿ~ ~ಪಾಸ್‌ವರ್ಡ್~ ಪಿನ್ ~ಸಂಕೇತ~",
    "ml": "~കോഡ്~ ~കോഡ~ ~ഒടിപി~ ~ഒ.ടി.പി~ ~പാസ്‌വേഡ്~ ~പാസ്‍വേഡ്~ പിൻ",
    "gu, pa, or": "~કોડ~ ~ઓટીપી~ ~પાસવર્ડ~ પિન ~ਕੋਡ~ ~ਓਟੀਪੀ~ ~ਪਾਸਵਰਡ~ ਪਿੰਨ ~କୋଡ~ ~ଓଟିପି~ ~ପାସୱାର୍ଡ~",
    "si, my, km, lo": "~කේත~ ~මුරපද~ ~මුර_පද~ ~ကုဒ်~ ~စကားဝှက်~ ~កូដ~ ~លេខសម្ងាត់~ ~ពាក្យសម្ងាត់~ ~ລະຫັດ~ ~ລະຫັດຜ່ານ~",
    "th": "~รหัส~ ~โค้ด~ ~โอทีพี~ ~พาสเวิร์ด~ ~พาสเวิด~ rahat~",
    "vi": "ma_xac_thuc ma_otp ma_xac_minh ma_xac_nhan ma_dang_nhap ma_la ma_cua ma_bao_mat ma_kich_hoat ma_pin"
    " ma_so_bi_mat ma_bi_mat ma_kiem_tra ma_so ma_nay ma_dang_ky ma_truy_cap ma_mo_khoa ma_khoi_phuc ma_nhan_hang"
    " ma_an_toan ma_tam_thoi ma_su_dung ma_dung_mot_lan ma_code ma_token mat_khau mat_ma ma_sms",
    "id, ms, jv": "kode~ kod~ kata_sandi~ ~sandi kata_laluan~ kata_kunci sandhi tembung_sandi kode_transaksi"
    " kode_paket kode_transfer",
    "tl": "code_mo iyong_code ang_code kodigo~",
    "sw, ha, yo, ig": "nambari_ya_siri namba_ya_siri ~msimbo~ neno_la_siri nenosiri~ nywila kodi~ koodu"
    " lambar_sirri lambar_tabbatarwa lambar_tsaro lambar_sirrin~ kalmar_sirri kalmar_wucewa oro_asina okwuntughe"
    " koodu_nzuzo ya_siri ya_uthibitisho ya_kuthibitisha",
    "zu, xh, st, sn, rw, so, om, mg": "~khodi~ ~khowudi~ iphasiwedi~ ~phasiwedi~ khoutu kodhi koodh~ furaha_sirta"
    " lambarka_sirta umubare_w_ibanga koodii~ kaody tenimiafina jecha_icciitii",
    "am, ti": "~ኮድ~ ~የይለፍ_ቃል~ ~የሚስጥር_ቁጥር~ ~ምስጢር_ቁጥር~ ~የማረጋገጫ_ቁጥር~ ~ፒን~ ~ኮዱ~ ~ኮድዎ~",
    "ja": "~コード~ ~認証番号~ ~確認番号~ ~暗証番号~ ~パスワード~ ~パスコード~ ~キーワード~ ~ワンタイムパス~"
    " ~ログイン番号~ ~承認番号~ ~照合番号~ ~合言葉~ ~受取番号~ ninshou_kodo ninsho_kodo ninsho_code ninshou_code",
    "ko": "~인증번호~ ~인증코드~ ~인증_번호~ ~인증_코드~ ~코드~ ~확인번호~ ~비밀번호~ ~승인번호~ ~보안번호~"
    " ~인증키~ ~암호~ ~패스워드~ ~핀번호~ ~일회용번호~ ~본인확인번호~ ~비번~ injeungbeonho~",
    "zh": "~验证码~ ~驗證碼~ ~校验码~ ~校驗碼~ ~动态码~ ~動態碼~ ~动态密码~ ~确认码~ ~確認碼~ ~认证码~ ~認證碼~"
    " ~密码~ ~密碼~ ~口令~ ~随机码~ ~隨機碼~ ~登录码~ ~登入碼~ ~代码~ ~代碼~ ~识别码~ ~識別碼~ ~取件码~ ~取件碼~"
    " ~取货码~ ~取貨碼~ ~授权码~ ~授權碼~ ~检验码~ ~交易码~ ~交易碼~ ~激活码~ ~啟動碼~ ~开通码~ ~安全码~ ~安全碼~"
    " ~短信码~ ~簡訊碼~ ~核验码~ ~核驗碼~ ~提货码~ ~提貨碼~ ~验证代码~ ~校验代码~ ~检查码~ ~一次性码~ ~注册码~"
    " ~註冊碼~ ~认证号~ ~开门码~ ~支付码~ yanzhengma yan_zheng_ma",
}

TASK = {  # what a user does with a code; weaker evidence
    "en": "enter entering enter_the_number reply_with type typing key_in login log_in sign_in sign_on signin verify"
    " verification verifying confirm confirmation authenticate authentication authorise authorize activate activation"
    " one_time 6_digit one_time_pass use using",
    "es, ca, gl": "introduce ingresa ingrese introduzca introdueix digita digite teclea utiliza verificar"
    " verificacion verificacio autenticacion autorizar validar confirmar",
    "pt": "verificação verificar digite insira informe introduza autorizar autenticação confirmar utilize",
    "fr": "saisissez saisir entrez tapez utilisez verification connexion connecter authentification validation valider",
    "it, ro": "inserisci inserire digita digitare verifica accesso autorizzare autenticazione introdu introduceti"
    " verificare autentificare tastati folositi",
    "de, nl, af": "eingeben anmeldung anmelden bestätigung bestätigen gib geben_sie freigabe verwende verwenden_sie"
    " tippe tippen_sie voer typ bevestig bevestigen inloggen gebruik verifieer tik gebruik_dit",
    "sv, no, da, is": "ange skriv verifiering bekräfta logga_in bekreft logg_inn tast bekræft indtast log_ind"
    " staðfesta sláðu bruk brug använd",
    "fi, et, lv, lt": "syötä kirjaudu vahvista vahvistus sisesta kinnita kinnitus ievadiet ievadi apstipriniet"
    " įveskite patvirtinkite patvirtinimo",
    "pl, cs, sk": "wpisz wpisac podaj uzyj zaloguj weryfikacja weryfikacji potwierdz zadejte zadej zadajte overeni"
    " overenie prihlaseni prihlasenie potvrdte",
    "hu, hr, sr, sl, sq": "irja_be adja_meg ird_be add_meg unesite upisite potvrdite potvrdu vnesite potrditev"
    " unesi унесите vendosni shkruani konfirmo",
    "tr, az, uz": "girin giriniz dogrulama onay daxil_edin daxil_olmaq təsdiq kiriting tasdiqlash kirish",
    "ru, uk, be, bg, mk": "введите введіть въведете внесете увядзіце подтверждение подтверждения подтвердите"
    " підтвердження підтвердіть вход входа вхід вход_в укажите наберите использовать вписать",
    "ru, uk, bg in Latin letters": "vvedite vvedit vavedete podtverzhdeniya podtverzhdenie podtverzhdenija"
    " podtverjdeniya dlya_vhoda vkhoda pidtverdzhennya",
    "kk, ky, mn, tg": "енгізіңіз растау киргизиңиз ырастоо оруулна баталгаажуулах ворид_кунед",
    "el": "εισαγετε πληκτρολογηστε επαληθευση επαληθευσης επιβεβαιωση συνδεση eisagete epalitheusi",
    "id, ms, vi, th": "masukkan masukan verifikasi pengesahan gunakan nhap xac_thuc xac_minh xac_nhan ~ยืนยัน~"
    " ~กรอก~ ~ป้อน~ ~ใส่~ ilagay ingiza weka",
    "ar, fa, he, ur": "~التحقق~ ~تحقق~ ~أدخل~ ~تفعيل~ ~التفعيل~ ~استخدم~ ~تأیید~ ~تایید~ ~ورود~ ~وارد_کنید~ ~אימות~"
    " ~הזן~ ~הקש~ ~הזינו~ تصدیق~ درج_کریں",
    "hi, mr, ne, bn": "सत्यापन दर्ज प्रमाणीकरण डालें पडताळणी যাচাই~ ~লিখুন~",
    "ka, hy, am": "დადასტურების შეიყვანეთ հաստատման մուտքագրեք ~ማረጋገጫ~",
    "ja, ko, zh": "~認証~ ~確認~ ~入力~ ~ログイン~ ~인증~ ~입력~ ~로그인~ ~验证~ ~驗證~ ~登录~ ~登入~ ~输入~ ~輸入~",
}

UNIT = {  # units directly after a number
    "en": "sec secs second seconds min mins minute minutes hr hrs hour hours day days week weeks month months year"
    " years kb mb gb tb km kg pts points point miles percent people items times users digit digits character"
    " characters",
    "es, pt, fr, it": "segundo segundos minuto minutos hora horas dia dias seg puntos pontos seconde secondes heure"
    " heures jour jours secondi minuti ora ore giorni giorno punti pessoas",
    "de, nl": "sekunde sekunden minuten stunde stunden std tag tage tagen uhr punkte seconden uur dagen minuut",
    "sv, no, da, fi": "sekunder minuter minutter timmar timer dagar dager dage sekuntia minuuttia tuntia paivaa"
    " minuutin",
    "pl, cs, sk, hu, ro": "sekund minut minuty godzin godziny dni vterin sekundy hodin hodiny minuti masodperc~"
    " perc~ ora~ nap secunde minute ore zile punktow",
    "ru, uk, bg": "сек секунд секунды секунди мин минут минуты минуту минуте хвилин хвилини час часа часов годин"
    " дней днів дни баллов балів мб гб",
    "tr, el": "saniye~ dk dakika~ saat~ gun~ puan~ numarali nolu δευτερολεπτα λεπτα λεπτων ωρες ημερες",
    "ar, fa, he, hi": "ثانية ثواني دقيقة دقائق ساعة ساعات يوم أيام ثانیه دقیقه ساعت روز שניות דקות שעות ימים मिनट"
    " सेकंड घंटे दिन",
    "id, vi, th": "detik menit jam hari minit saat giay phut gio ngay poin ~วินาที~ ~นาที~ ~ชั่วโมง~ ~วัน~",
    "ja, ko, zh": "~分間~ ~分~ ~秒~ ~秒間~ ~時間~ ~日間~ ~年~ ~月~ ~日~ ~時~ ~分钟~ ~分鐘~ ~小时~ ~小時~ ~天~ ~号~"
    " ~位~ ~초~ ~분~ ~시간~ ~년~ ~ポイント~ ~点~ ~회~ ~桁~ ~자리~ ~个~",
}

MONEY = (  # before or after an amount; currency signs count too
    "usd eur gbp inr rs rs. aud cad chf jpy cny rmb rub brl mxn sek nok dkk pln czk huf ron try tl zar"
    " ngn kes php idr rp myr rm thb vnd krw aed sar egp pkr bdt uah ils hkd twd sgd btc sats satoshis kr"
    " kč zl zł ft lei лв руб рублей рубля р р. грн тг kz ден din euro euros dollars pesos reais rupees đ"
    " so_m сом сум сўм azn gel amd mnt manat lek din. dinara eura evra ден. dong baht ringgit ksh ghs taka"
    ' naira ریال تومان درهم ريال جنيه ₪ ש"ח ~元~ ~円~ ~원~ ~圓~ ~บาท~'
)

IS = {  # verbs between a number and its name
    "before": "is are es esta est ist lautet lauten luidt sunt este var ar är er é è son yra ir je jest su som jsou"
    " eshte është είναι ειναι einai ine это есть є e е hae la là adalah ialah merupakan yaitu iaitu ay ni ne ce ita_ce"
    " shine waa yw huwa hija ~هو~ ~هي~ ~است~ ~ہے~ ~הוא~ ~היא~ ~הינו~ ~คือ~ ~เป็น~ ~គឺ~ ~ແມ່ນ~ ~မှာ~ ~は~ ~는~ ~은~ ~为~"
    " ~為~ ~是~ arin ngu ithi ke zi bu eto e'",
    "after": "is are es est ist lautet este ar är er yra to je jest eshte on e è é ειναι einai это є е la là adalah"
    " ialah merupakan ay ni huwa ~هو~ ~هي~ ~است~ ~ہے~ ~הוא~ ~היא~ है हैं हो आहे ~คือ~ ~เป็น~ ~は~ ~が~ ~为~ ~為~ ~是~"
    " da waa eto әр e'",
}

NUMBERED = (  # directly after a number that counts or names something else
    "people users customers subscribers followers views votes points steps calories kwh km kg miles"
    " numarali nolu no_lu nomreli sayili ile_biten sonli sonlu raqamli szamu szamon дугаартай нөмірлі рақамли сонли numbered"
    " numaraya numarayla nomreye ~号车~ ~號車~ ~番線~ ~号室~ ~便~ ~호차~ ~호실~ ~호점~ ~번_버스~ ~路~ ~번째~ ~名~ ~人~ ~件~"
    " ~명~ ~건~ ~台~ ~班~ ~次列车~ ~期~ ~枚~ ~冊~ ~個~"
)

SALE = (  # a "code" in a sentence with one of these words is a discount code
    "~%~ ~off discount~ save saving cashback descuento~ desconto~ remise~ reduction~ reduceri~ reducere~ descompte rabatt~ rabat~"
    " sparen spare ermäßigung korting~ bespaar sconto~ sconti alennu~ ale soodus~ allahindlus~ atlaid~ nuolaid~ zniżk~ taniej"
    " slev~ zľav~ zlav~ kedvezmény~ akcio~ popust~ ulje~ zbritje~ скидк~ знижк~ зніжк~ отстъпк~ попуст~ намалени~ жеңілдік~"
    " арзандатуу~ хямдрал~ skidk~ znyzhk~ otstupk~ indirim~ endirim~ chegirma~ εκπτωσ~ ekptos~ ~خصم~ ~تخفيض~ ~تخفیف~ ~הנחה~"
    " ~רעایت~ ~رعایت~ छूट~ सवलत~ ছাড়~ ছাড়~ தள்ளுபடி~ తగ్గింపు~ ರಿಯಾಯಿತಿ~ ~ส่วนลด~ ~ลดราคา~ giam_gia~ giam_ngay khuyen_mai"
    " uu_dai diskon~ diskaun~ potongan bawas punguzo ragi isaphulelo ~割引~ ~オフ~ ~セール~ ~할인~ ~折扣~ ~优惠~ ~優惠~ ~满减~"
    " ფასდაკლებ~ զեղչ~ ~ቅናሽ~"
)
