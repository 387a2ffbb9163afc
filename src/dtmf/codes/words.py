"""The words by which codes/ knows a code from other numbers, by language.

One entry is a word or a phrase; `_` is a blank or a hyphen in a phrase; a `~` at an end lets it be part of a longer
word there (passcode, Bestätigungscode, kodunuz). Case and accents don't count. Of two entries that begin at one place
the longer counts, so "promo code" is no code though "code" is."""

from __future__ import annotations

CODE = {  # what a number near them is, if it is a code
    "en": "~code ~codes passcode otp otps pin pincode ~password ~passphrase 2fa mfa token",
    "es": "codigo~ clave contraseña",
    "pt": "codigo~ senha chave",
    "fr": "code~ mot_de_passe identifiant_unique",
    "de": "~code~ ~kennwort ~passwort pin tan mtan smstan sms_tan pushtan",
    "it": "codice~ codici",
    "nl": "~code~ wachtwoord ~cijfercode",
    "sv, no, da": "~kod ~koden ~kode ~koder lösenord ~passord ~adgangskode engangskode~",
    "fi": "~koodi~ salasana~ ~tunnusluku~ kertakäyttö~",
    "is": "~kóði ~kóðinn ~númerið_þitt",
    "pl": "kod kodu kodem haslo hasla",
    "cs, sk": "kod kodu kodom ~kod heslo",
    "hu": "~kod ~kodja ~kodod ~kodjat jelszo~ azonosito_kod~",
    "ro": "cod codul codului parola",
    "hr, sr, bs, sl": "kod koda kodom sifra lozinka geslo sifru код шифра лозинка",
    "sq, lt, lv, et": "kodi kodas kods koodi ~kood kodu parool parole slaptazodis",
    "ru": "код кода кодом ~код пароль пароля пин пинкод",
    "uk": "код коду кодом пароль",
    "bg, mk": "код кодът кодот парола ~код",
    "kk, ky, uz, tg": "коды кодыңыз кодуңуз kodi kodingiz рамз",
    "el": "κωδικος κωδικο κωδικου κωδ",
    "tr": "~kod ~kodu ~kodun~ ~kodu~ sifre~ parola~",
    "az": "kod kodu kodunuz sifre~ şifrə~",
    "ka, hy": "კოდი კოდია ~კოდი კოდ~ կոդ~ կոդը ծածկագիր~",
    "ar": "~رمز~ ~كود~ كلمة_المرور كلمة_السر ~الرقم_السري",
    "fa": "~رمز~ ~کد~ گذرواژه~",
    "ur": "کوڈ ~کوڈ پاس_ورڈ پن",
    "he": "~קוד~ ~סיסמ~",
    "hi, mr, ne": "कोड ओटीपी पासवर्ड पिन कूट ओ.टी.पी.",
    "bn": "কোড~ ওটিপি~ পাসওয়ার্ড পিন~",
    "ta, te, kn, ml": "குறியீடு~ ஒடிபி குறியீட்டை கோடு కోడ్~ ఓటీపీ ಕೋಡ್~ ಒಟಿಪಿ കോഡ്~ ഒടിപി",
    "gu, pa": "કોડ~ ઓટીપી ਕੋਡ~ ਓਟੀਪੀ",
    "si, my, km, lo": "කේතය~ ~ကုဒ်~ ~កូដ~ ~លេខកូដ~ ~ລະຫັດ~",
    "th": "~รหัส~ ~โค้ด~ ~โอทีพี~",
    "vi": "ma_xac_thuc ma_otp ma_xac_minh ma_xac_nhan ma_dang_nhap ma_la ma_cua ma_bao_mat ma_kich_hoat"
    " ma_pin mat_khau",
    "id, ms": "kode kodenya kod kata_sandi sandi kata_laluan",
    "tl": "code_mo iyong_code ang_code",
    "sw, ha, yo, zu, af": "nambari_ya_siri msimbo~ nenosiri lambar ikhodi kode",
    "ja": "~コード~ ~認証番号~ ~確認番号~ ~暗証番号~ ~パスワード~ ~パスコード~ ~キーワード~",
    "ko": "~인증번호~ ~인증코드~ ~인증_번호~ ~인증_코드~ ~코드~ ~확인번호~ ~비밀번호~ ~승인번호~",
    "zh": "~验证码~ ~驗證碼~ ~校验码~ ~校驗碼~ ~动态码~ ~動態碼~ ~动态密码~ ~确认码~ ~確認碼~ ~认证码~"
    " ~認證碼~ ~密码~ ~密碼~ ~口令~ ~随机码~ ~登录码~ ~登入碼~ ~代码~ ~代碼~ ~识别码~ ~取件码~"
    " ~取件碼~ ~授权码~ ~检验码~",
}

TASK = {  # what is done with a code: a weaker sign
    "en": "enter reply_with type login log_in sign_in sign_on signin verify verification verifying"
    " confirm confirmation authenticate authentication activate one_time 6_digit one_time_pass",
    "es, pt, it, fr": "introduce ingresa ingrese introduzca verificar verificacion verificação digite"
    " insira informe confirmar inserisci verifica accesso saisissez entrez verification"
    " connexion connecter",
    "de, nl, sv, no, da": "eingeben anmeldung anmelden bestätigung bestätigen gib geben_sie voer bevestig"
    " bevestigen inloggen ange skriv verifiering bekräfta bekreft bekræft indtast",
    "pl, cs, sk, hu, ro, tr": "wpisz zaloguj weryfikacja zadejte zadajte overeni irja_be adja_meg introdu"
    " introduceti girin dogrulama onay",
    "ru, uk, bg": "введите введіть въведете подтверждение подтверждения підтвердження вход входа вхід вход_в",
    "id, vi, th": "masukkan verifikasi nhap xac_thuc xac_minh ~ยืนยัน~ ~กรอก~",
    "ar, fa, he, hi": "~التحقق~ ~تأیید~ ~ورود~ ~אימות~ ~הזן~ सत्यापन दर्ज",
    "ja, ko, zh": "~認証~ ~確認~ ~入力~ ~ログイン~ ~인증~ ~입력~ ~로그인~ ~验证~ ~驗證~ ~登录~ ~登入~ ~输入~ ~輸入~",
}

OTHER = {  # what the next number after them is, if it is not a code
    "codes of another kind": "promo_code~ promotional_code discount_code coupon_code voucher_code"
    " gift_code referral_code invite_code country_code area_code zip_code"
    " postal_code post_code postcode zipcode sort_code error_code status_code"
    " dress_code qr_code~ barcode bar_code source_code tracking_code"
    " booking_code reservation_code dial_code product_code store_code bank_code"
    " code_promo code_postal code_barre code_avantage code_de_reduction"
    " codigo_postal codigo_promocional codigo_de_descuento codigo_de_barras"
    " codigo_de_rastreo codigo_de_rastreamento cupon~ cupom codice_sconto"
    " codice_promo~ codice_fiscale codice_postale codice_cliente gutscheincode"
    " rabattcode aktionscode ~gutschein kortingscode actiecode rabattkod"
    " rabatkode rabattkode alennuskoodi kod_rabatowy kod_pocztowy slevovy_kod"
    " kuponkod kod_promocyjny cod_postal cod_promotional promosyon_kodu"
    " indirim_kodu posta_kodu промокод~ промо_код почтовый_индекс kode_promo"
    " kode_pos ma_giam_gia ma_don_hang ma_van_don ~優惠碼~ ~优惠码~ ~折扣码~"
    " ~邮编~ ~割引コード~ ~クーポンコード~ ~郵便番号~ ~할인코드~ ~쿠폰코드~"
    " ~우편번호~",
    "en": "call dial phone tel telephone mobile hotline helpline ring contact fax text_to text_stop"
    " text_help sms_to send_to reply_to reply_stop stop unsubscribe to_stop opt_out order orders"
    " invoice ref reference booking reservation confirmation_number confirmation_no ticket case"
    " parcel package shipment tracking tracking_number awb receipt account acct a/c iban card"
    " ending ending_in ending_with ends_in ends_with last_4 last_four flight train gate seat room"
    " suite apt apartment floor zip balance amount total price payment transaction txn trx id"
    " membership member points customer_number customer_no case_number license model version build"
    " street year since until copyright section page number_ending meter policy appointment serial"
    " patient claim channel bus platform extension ext",
    "es, pt": "llama llame telefono tel pedido factura cuenta tarjeta terminada_en acabada_en vuelo"
    " habitacion saldo importe referencia reserva expediente envio responde responda envia"
    " ligue fatura conta cartao final terminado_em voo quarto encomenda protocolo valor ano",
    "fr": "appelez appeler telephone tel commande facture compte carte se_terminant_par terminant_par"
    " finissant_par vol chambre solde montant reference colis numero_de_suivi dossier repondez"
    " envoyez annee",
    "de": "rufen anrufen telefon tel hotline bestellung bestellnummer ~bestellnummer auftrag rechnung"
    " ~rechnungsnummer konto kontonummer kundennummer endet_auf endend_auf endziffern endnummer"
    " flug zimmer saldo betrag sendung sendungsnummer paketnummer vorgang ticket aktenzeichen plz"
    " jahr antworten vertrag",
    "it": "chiama telefono tel ordine fattura conto carta che_termina_con volo camera saldo importo"
    " spedizione pratica riferimento rispondi invia anno",
    "nl": "bel telefoon bestelling ordernummer bestelnummer factuur rekening eindigend_op bankpas vlucht"
    " kamer saldo bedrag zending klantnummer antwoord",
    "sv, no, da, fi": "ring telefon order ordernummer ordrenummer ordre beställning faktura konto kort"
    " som_slutar_pa flyg rum saldo belopp forsendelse pakke paket kundnummer soita"
    " puhelin tilaus tilausnumero lasku tili lähetys",
    "pl, cs, sk": "zadzwon telefon tel zamowienie zamowienia faktura rachunek konto karty koncowka"
    " przesylka przesylki lot saldo kwota nr_zamowienia zavolejte volejte objednavka"
    " objednavky objednavku faktury ucet karta zasilka zasielka castka",
    "hu, ro": "hivja telefon rendeles rendelesszam szamla szamlaszam csomag csomagszam egyenleg suna"
    " comanda factura cont cardul colet sold suma",
    "hr, sr, sl, bg": "nazovite pozovite pokličite telefon narudzba porudzbina racun kartica naročilo"
    " racuna обадете телефон поръчка фактура сметка пратка",
    "ru, uk": "звоните позвоните тел телефон заказ заказа заказу ~заказ счет счета счёт карта карты карте"
    " баланс сумма сумму рейс заявка накладная трек посылка посылки поезд телефонуйте"
    " замовлення рахунок картка картки посилка відправлення год",
    "tr": "arayin telefon tel siparis siparisiniz siparis_no fatura hesap kart karti bakiye tutar ucus"
    " kargo takip_no abone musteri_no randevu",
    "el": "καλεστε τηλεφωνο τηλ παραγγελια τιμολογιο λογαριασμος λογαριασμο καρτα υπολοιπο ποσο αποστολη",
    "ar": "~اتصل~ ~هاتف~ ~الهاتف~ ~طلب~ ~الطلب~ ~طلبك~ ~فاتورة~ ~حساب~ ~الحساب~ ~بطاقة~ ~البطاقة~ ~رصيدك~"
    " ~شحنة~ ~رحلة~ ~المبلغ~",
    "fa, he, ur": "~تماس~ ~تلفن~ ~سفارش~ ~حساب~ ~کارت~ ~مانده~ ~مبلغ~ ~חייג~ ~טלפון~ ~הזמנה~ ~חשבון~"
    " ~כרטיס~ ~יתרה~ آرڈر اکاؤنٹ",
    "hi, bn": "कॉल ऑर्डर खाता खाते कार्ड बिल शेष राशि अकाउंट कल_करें অর্ডার অ্যাকাউন্ট কার্ড কল বিল",
    "th": "~โทร~ ~คำสั่งซื้อ~ ~บัญชี~ ~บัตร~ ~ยอด~ ~พัสดุ~ ~ใบสั่งซื้อ~",
    "vi, id, ms": "goi dien_thoai don_hang tai_khoan so_the so_du hoa_don chuyen_bay telepon hubungi"
    " pesanan tagihan rekening kartu kad resi nomor_pesanan saldo akaun hub",
    "ja": "~電話~ ~注文番号~ ~ご注文~ ~口座~ ~カード~ ~残高~ ~金額~ ~お問い合わせ~ ~便~ ~伝票番号~"
    " ~予約番号~ ~会員番号~ ~お客様番号~ ~号室~",
    "ko": "~전화~ ~문의~ ~주문번호~ ~주문~ ~계좌~ ~카드~ ~잔액~ ~금액~ ~송장번호~ ~운송장~ ~예약번호~"
    " ~고객센터~ ~회원번호~",
    "zh": "~致电~ ~拨打~ ~撥打~ ~电话~ ~電話~ ~热线~ ~客服~ ~订单~ ~訂單~ ~订单号~ ~账户~ ~帳戶~ ~尾号~"
    " ~尾號~ ~末四位~ ~余额~ ~餘額~ ~金额~ ~航班~ ~单号~ ~單號~ ~运单~ ~快递~ ~编号~ ~編號~ ~房间~"
    " ~回复~ ~回覆~",
}

UNIT = {  # what a number directly before them counts
    "en": "sec secs second seconds min mins minute minutes hr hrs hour hours day days week weeks month"
    " months year years kb mb gb tb km kg pts points point miles percent people items times users"
    " digit digits character characters",
    "es, pt, fr, it": "segundo segundos minuto minutos hora horas dia dias seg puntos pontos seconde"
    " secondes heure heures jour jours secondi minuti ora ore giorni giorno punti"
    " pessoas",
    "de, nl": "sekunde sekunden minuten stunde stunden std tag tage tagen uhr punkte seconden uur dagen minuut",
    "sv, no, da, fi": "sekunder minuter minutter timmar timer dagar dager dage sekuntia minuuttia tuntia"
    " paivaa minuutin",
    "pl, cs, sk, hu, ro": "sekund minut minuty godzin godziny dni vterin sekundy hodin hodiny minuti"
    " masodperc~ perc~ ora~ nap secunde minute ore zile punktow",
    "ru, uk, bg": "сек секунд секунды секунди мин минут минуты минуту минуте хвилин хвилини час часа"
    " часов годин дней днів дни баллов балів мб гб",
    "tr, el": "saniye~ dk dakika~ saat~ gun~ puan~ numarali nolu δευτερολεπτα λεπτα λεπτων ωρες ημερες",
    "ar, fa, he, hi": "ثانية ثواني دقيقة دقائق ساعة ساعات يوم أيام ثانیه دقیقه ساعت روز שניות דקות שעות"
    " ימים मिनट सेकंड घंटे दिन",
    "id, vi, th": "detik menit jam hari minit saat giay phut gio ngay poin ~วินาที~ ~นาที~ ~ชั่วโมง~ ~วัน~",
    "ja, ko, zh": "~分間~ ~分~ ~秒~ ~秒間~ ~時間~ ~日間~ ~年~ ~月~ ~日~ ~時~ ~分钟~ ~分鐘~ ~小时~ ~小時~"
    " ~天~ ~号~ ~位~ ~초~ ~분~ ~시간~ ~년~ ~ポイント~ ~点~ ~회~ ~桁~ ~자리~ ~个~",
}

MONEY = (  # beside an amount, before or after it; any sign of a currency too
    "usd eur gbp inr rs rs. aud cad chf jpy cny rmb rub brl mxn sek nok dkk pln czk huf ron try tl zar"
    " ngn kes php idr rp myr rm thb vnd krw aed sar egp pkr bdt uah ils hkd twd sgd btc sats satoshis kr"
    " kč zl zł ft lei лв руб рублей рубля р. грн тг kz ден din euro euros dollars pesos reais rupees đ"
    ' dong baht ringgit ksh ghs taka naira ریال تومان درهم ريال جنيه ₪ ש"ח ~元~ ~円~ ~원~ ~圓~ ~บาท~'
)
