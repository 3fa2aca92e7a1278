#include "api/grouping/default_rules.h"

namespace picket::grouping {

// Of a run of frames within the system only the first counts: it is what was called, the others are how
// it is done, and differ between versions. So frames of the system get a category first, then threads'
// bases are taken out of it, then frames that were called from the system become "internals". What
// comes after that has a name of its own for frames that say something even inside of the system.
std::string_view default_native_rules() {
  static constexpr std::string_view rules = R"rules(
# --- the system, by where its libraries are
family:native package:**/{System/Library,Windows/System32,Windows/SysWOW64,Windows/WinSxS}/** category=system
family:native package:**/usr/lib/{**.dylib,dyld} category=system
family:native package:lib{dyld,dispatch,objc.A,c++.1,c++abi,xpc,sqlite3,Accessibility,MobileGestalt}.dylib category=system
family:native package:{libsystem_*,libswift*}.dylib category=system
family:native package:{UIKit,UIKitCore,AppKit,HIToolbox,GraphicsServices,FrontBoardServices,BaseBoard} category=system
family:native package:{CoreFoundation,Foundation,CFNetwork,CoreData,CoreText,CoreGraphics,CoreAnimation} category=system
family:native package:{QuartzCore,Metal,OpenGLES,ImageIO,AVFoundation,MediaToolbox,WebKit,WebCore,SwiftUI} category=system
family:native package:{JavaScriptCore,UIFoundation,MapKit,CoreLocation,CoreMedia,AudioToolbox,StoreKit} category=system

# --- where threads begin
family:native function:{_start,__libc_start_main,__libc_start_call_main,__libc_init,__start_thread} category=threadbase
family:native function:{start_thread,clone,clone3,__clone,__clone3,__pthread_start,_ZL15__pthread_startPv} category=threadbase
family:native package:**{libdyld.dylib,dyld} function:start category=threadbase
family:native function:{thread_start,_pthread_start,_pthread_body,start_wqthread,_pthread_wqthread} category=threadbase
family:native function:_dispatch_{worker_thread,worker_thread2,worker_thread3,root_queues_init_once,mgr_thread} category=threadbase
family:native function:{UIApplicationMain,NSApplicationMain,xpc_main,__NSThread__start__} category=threadbase
family:native function:{RtlUserThreadStart,_RtlUserThreadStart,__RtlUserThreadStart,BaseThreadInitThunk} category=threadbase
family:native function:{TppWorkerThread,TppWorkpExecuteCallback,thread_start<T>,_threadstartex,_threadstart} category=threadbase
family:native function:{__scrt_common_main,__scrt_common_main_seh,invoke_main,__tmainCRTStartup} category=threadbase
family:native function:{mainCRTStartup,WinMainCRTStartup,wmainCRTStartup,wWinMainCRTStartup} category=threadbase
family:native function:std::{__1,__ndk1}::__thread_proxy* category=threadbase
family:native function:std::execute_native_thread_routine* category=threadbase

# --- deleting through a compiler's helper
family:native function:{*destructor',*::~*} category=destruction

# --- inside of the system
[ category:system ] | category:system category=internals
family:native package:**/usr/lib/** function:_* category=internals
family:native package:{libsystem_*,libdispatch,libobjc.A,libdyld,libc++.1}.dylib function:_* category=internals
family:native function:{_dispatch_*,_objc_msgSend_uncached,lookUpImpOrForward,_CF*,__CF*,CFRunLoop*} category=internals
family:native function:CF{Bundle,Plugin}* category=internals
family:native function:-[[]{UIApplication,UIWindow,UIControl,UIGestureRecognizer,NSApplication,NSWindow,NSControl}*{send,_send,touches,mouse}*] category=internals
# the base is a base, whoever called it
family:native function:_dispatch_{worker_thread,worker_thread2,worker_thread3,root_queues_init_once,mgr_thread} category=threadbase
family:native function:{_pthread_start,_pthread_body,_pthread_wqthread} category=threadbase

# --- inside of the languages' libraries
[ function:std::* ] | function:std::{rt,thread,panic,panicking,sys,sys_common,sync,io,backtrace}::* category=internals
family:native function:{std::*::__*,std::*::~*,std::__invoke*} category=internals
family:native function:core::ops::function::* category=internals
family:native function:@callee_guaranteed category=internals
family:native function:{@callee_unowned*,thunk?for?*,partial?apply*,reabstraction?thunk*} category=internals
family:native app:no function:*_block_invoke* category=internals
family:native function:_INTERNAL*::* category=internals

# --- a way to somewhere else
family:native function:{*::operator(),*.cold.?,*.cold.??,*.cold} category=indirection
family:native !function:std::* function:*::~* category=indirection
family:native function:{_guard_dispatch_icall*,guard_dispatch_icall*,_objc_msgForward,objc_msgSend_stret} category=indirection

# --- what is worth a name inside of the system
family:native function:{malloc,calloc,realloc,free,posix_memalign,_malloc,_free,operator?new*,operator?delete*} category=memory
family:native function:{malloc_zone_malloc,malloc_zone_calloc,malloc_zone_realloc,malloc_report} category=memory
family:native function:{RtlAllocateHeap,RtlFreeHeap,RtlReAllocateHeap,HeapAlloc,HeapFree,_malloc_base,_free_base} category=memory
family:native function:{dlopen,dlsym,LoadLibrary*,LdrLoadDll} category=load
family:native function:objc_{release,retain,autorelease,storeStrong,msgSend,loadWeakRetained,destroyWeak} category=objc
family:native function:{gpusGenerateCrashLog,CrashReporter*,gpuCrashReport*} category=telemetry
family:native package:**/libGPUSupport* function:*CrashLog category=telemetry

# --- giving up
family:native function:{abort,_abort,raise,terminate,_purecall,__fastfail,__stack_chk_fail} category=throw
family:native function:std::{terminate,__terminate,_Xlength_error,_Xout_of_range,__throw_*} category=throw
family:native function:std::{__1,__ndk1}::__throw_* category=throw
family:native function:{__assert_fail,__assert_rtn,__assert2,_wassert,__cxa_throw,__cxa_rethrow,__cxa_pure_virtual} category=throw
family:native function:{_CxxThrowException,RaiseException,RtlRaiseException,objc_exception_throw,objc_terminate} category=throw
family:native function:{swift_unexpectedError,_assertionFailure*,_fatalErrorMessage*,-[[]NSException?raise]} category=throw
family:native function:{rust_panic*,core::panicking::panic*,std::panicking::begin_panic*,core::result::unwrap_failed} category=throw
family:native function:{core::option::expect_failed,core::option::unwrap_failed,rust_begin_unwind} category=throw
family:native function:{KiUserExceptionDispatcher,KiUserExceptionDispatch,_sigtramp} category=handler

# --- Java
module:java.lang.Thread function:run category=threadbase
module:java.util.concurrent.{ThreadPoolExecutor*,ScheduledThreadPoolExecutor*,ForkJoinWorkerThread,ForkJoinPool*} category=threadbase
module:java.util.concurrent.ForkJoinTask function:doExec category=threadbase
module:java.lang.reflect.Method function:invoke category=indirection

# --- Android
module:com.android.internal.os.* category=threadbase
module:android.app.ActivityThread function:main category=threadbase
module:android.os.Looper function:loop* category=threadbase
module:android.os.Handler function:{dispatchMessage,handleCallback} category=threadbase
module:android.view.Choreographer* function:{doFrame,doCallbacks,run} category=threadbase
module:android.view.ViewRootImpl* function:{run,doTraversal,performTraversals,performLayout,performMeasure,performDraw} category=threadbase
module:android.view.View* function:{layout,measure} category=threadbase
module:android.widget.*Layout function:{onLayout,layoutChildren,layoutVertical,layoutHorizontal,setChildFrame} category=threadbase
[ module:androidx.* ] | module:androidx.* category=internals
module:dalvik.system.* category=internals
)rules";
  return rules;
}

}  // namespace picket::grouping
