#include "api/grouping/default_rules.h"

namespace picket::grouping {

std::string_view default_app_rules() {
  static constexpr std::string_view rules = R"rules(
# --- installed packages, by the folders of package managers
path:**/{node_modules,bower_components,jspm_packages,.yarn}/** -app
path:**/{site-packages,dist-packages}/** -app
path:**/vendor/** -app
path:**/{go/pkg/mod,go/src/vendor}/** -app
path:**/{gems,rubygems}/** -app
path:**/.rbenv/versions/** -app
path:**/.pub-cache/** -app
path:**/.nuget/packages/** -app
path:**/usr/{lib,local/lib}/python?.{?,??}/** -app

# --- libraries that pages load from where everybody does
path:**https://{unpkg.com,esm.run,esm.sh,cdnjs.cloudflare.com,cdn.jsdelivr.net,cdn.skypack.dev}/** -app
path:**https://{ajax.googleapis.com,code.jquery.com,js.stripe.com,www.googletagmanager.com}/** -app
path:{chrome,moz,safari,safari-web}-extension://** -app

# --- what build tools put between a script and the language
family:javascript module:{@babel,core-js,core-js-pure,regenerator-runtime,tslib}/** -app -group
family:javascript path:org-dartlang-sdk:///** -app -group

# --- Dart and Flutter
family:javascript module:**/packages/flutter/** -app
path:**/packages/flutter/** -app
path:package:flutter/** -app
path:dart:** -app
path:package:{sentry,sentry_flutter,sentry_logging,sentry_dio,sentry_file}/** -app -group
path:package:{sentry_hive,sentry_isar,sentry_sqflite,sentry_drift,sentry_link,sentry_firebase_remote_config}/** -app -group

# --- Java, Kotlin and what they come with
module:{java,javax,jdk,sun,com.sun,jakarta}.* -app
module:{kotlin,kotlinx,scala,clojure,groovy,org.codehaus.groovy}.* -app
module:{android,androidx,com.android,dalvik,libcore}.* -app
module:{org.springframework,org.apache,org.hibernate,org.jboss,org.eclipse.jetty,io.undertow}.* -app
module:{io.netty,reactor,rx,io.reactivex,okhttp3,okio,retrofit2}.* -app
module:{org.junit,junit,org.mockito}.* -app
module:io.sentry.* -app -group

# --- .NET
module:{System,Microsoft,Mono}.* -app
package:System.Private.CoreLib,** -app

# --- native code: the system's libraries and the languages' own
family:native package:/{lib,usr/lib,usr/local/lib}/** -app
family:native package:/{lib32,lib64,usr/lib32,usr/lib64}/** -app
family:native package:/System/Library/** -app
family:native package:/{system,apex}/** -app
family:native package:?:/Windows/** -app
family:native package:linux-gate.so* -app
family:native function:std::* -app
family:native function:{alloc,core}::* -app

# --- where an app is, everything else left aside
family:native package:**/Containers/Bundle/Application/** +app

# --- Sentry's own frames
family:native function:__*[[]Sentry* -app -group
family:native function:[+-][[]Sentry* -app -group
family:native function:{sentry,sentry__}_* package:**sentry** -app
)rules";
  return rules;
}

}  // namespace picket::grouping
