// For code that is compiled once per format (kernels, tables, tests): calls of a generic function with the format's
// struct as its template argument. There is no switch over formats anywhere.
#pragma once

#include "format_list.h"

namespace tern::formats {

/// fn.template operator()<T>() for every format T, in the order of the file names.
template <class Fn>
constexpr void for_each_format(Fn&& fn) {
  [&]<class... Ts>(TypeList<Ts...>) { (fn.template operator()<Ts>(), ...); }(AllFormats{});
}

/// fn.template operator()<T>() for the one T of that format; false when there is none.
template <class Fn>
constexpr bool with_format(Format format, Fn&& fn) {
  bool found = false;
  for_each_format([&]<class T>() {
    if (T::kInfo.id != format) return;
    found = true;
    fn.template operator()<T>();
  });
  return found;
}

}  // namespace tern::formats
