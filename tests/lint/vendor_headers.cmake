cmake_minimum_required(VERSION 3.25)
# Each third-party library has exactly one home; its types never leave it. zstd has a second one: the journal's
# dictionaries lie below everything that knows content codings.
set(homes
  "lmdb.h=buffer/env.cpp"
  "toml++=buffer/settings.cpp"
  "zstd.h=relay/protocol/content_|buffer/dictionary.cpp"
  "zdict.h=buffer/dictionary.cpp"
  "zlib.h=relay/protocol/content_"
  "brotli/=relay/protocol/content_"
  "libdeflate.h=relay/protocol/content_"
  "lzma.h=relay/protocol/content_"
  "bzlib.h=relay/protocol/content_"
  "boost/beast=relay/http/"
  "boost/asio=relay/http/"
  "re2/=relay/scrub/pattern"
  "maxminddb.h=api/digest/geo.cpp"
  "curl/=upstream/")

file(GLOB_RECURSE files RELATIVE "${ROOT}"
  "${ROOT}/relay/*" "${ROOT}/buffer/*" "${ROOT}/upstream/*" "${ROOT}/api/*" "${ROOT}/main.cpp")
foreach(file IN LISTS files)
  file(STRINGS "${ROOT}/${file}" includes REGEX "^#include <")
  foreach(home IN LISTS homes)
    string(REGEX MATCH "^([^=]+)=(.+)$" _ "${home}")
    set(vendor "${CMAKE_MATCH_1}")
    set(allowed "${CMAKE_MATCH_2}")
    foreach(include IN LISTS includes)
      string(FIND "${include}" "<${vendor}" at)
      string(REPLACE "|" ";" prefixes "${allowed}")
      set(at_home FALSE)
      foreach(prefix IN LISTS prefixes)
        string(FIND "${file}" "${prefix}" home_at)
        if(home_at EQUAL 0)
          set(at_home TRUE)
        endif()
      endforeach()
      if(NOT at EQUAL -1 AND NOT at_home)
        message(SEND_ERROR "${file}: ${include} belongs in ${allowed}")
      endif()
    endforeach()
  endforeach()
endforeach()
